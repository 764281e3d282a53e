//! A trained model with its program, its weights and what is known of its data: what all that ask it
//! begin with.

use crate::base::limits::{self, Budget};
use crate::base::task::OutputTask;
use crate::base::tensor::Tensor;
use crate::command::answers::{PredictedOutput, predicted_outputs};
use crate::data::DataError;
use crate::driver::session::{Failure, Request, Session};
use crate::driver::source::{DataSource, Schemas};
use crate::elaborate::Training;
use crate::graph::Graph;
use crate::run::folder::{RunInfo, SampleInfo};
use crate::run::trained::{self, Model, Trained, WeightsOrigin};
use std::path::PathBuf;

/// A trained model that was found and understood.
pub(super) struct OpenedModel {
    /// Its name.
    pub model: String,
    /// Its graph of evaluation, verified; the batch is a symbol.
    pub graph: Graph,
    /// The same for each smaller bucket of its samples, ascending.
    pub smaller: Vec<Graph>,
    /// The tasks that its loss sets; none where nothing trains it.
    pub tasks: Vec<OutputTask>,
    /// Its data source.
    pub source: DataSource,
    /// Its samples, with all that was fitted.
    pub samples: SampleInfo,
    /// The names of its classes; none where they are numbers.
    pub classes: Vec<String>,
    /// Its weights by path.
    pub weights: Vec<(String, Tensor)>,
    /// Where they are from.
    pub from: PathBuf,
    /// The graph that is trained, and how; none where nothing trains the model.
    pub training: Option<(Graph, Training)>,
}

impl OpenedModel {
    /// The outputs that answers are made of; the graph keeps these alone. Targets remain inputs of it
    /// that nothing reads.
    pub fn inference(&mut self) -> Vec<PredictedOutput> {
        let (graph, schema) = (&self.graph, &self.samples.schema);
        let outputs = predicted_outputs(graph, &self.tasks, schema, &self.classes);
        for graph in self.smaller.iter_mut().chain([&mut self.graph]) {
            graph.outputs.retain(|output| outputs.iter().any(|known| known.at == output.name));
        }
        outputs
    }
}

/// Finds a trained model and elaborates its program; the training data need not be there.
pub(super) fn open(
    session: &mut Session,
    request: &mut Request,
    model: &Model,
) -> Result<OpenedModel, Failure> {
    let Trained { info, weights, from } = trained::find(session, request, model)?;
    // A file of weights says what samples look like, too.
    let about = trained::about(&from);
    let known = trained::samples(info.as_ref(), &from);
    let text = session.main_text(request)?;
    let schemas = match &known {
        Some(samples) => Schemas::given(samples.schema.clone()),
        None => Schemas::new(true),
    };
    let front = session.sound(text, request, schemas, &Budget::new(limits::FIX_STEPS))?;
    let model = front.experiment.model;
    let Some(source) = front.source else {
        let message = format!("`{model}` names no data, so nothing says how files are read");
        return Err(Failure::Data(message));
    };
    let samples = match known {
        Some(samples) => samples,
        None => {
            let before = source.before().map_err(data_failure)?;
            SampleInfo { schema: source.schema.clone().unwrap_or(before.clone()), source: before }
        }
    };
    let classes = class_names(info.as_ref(), about.as_ref(), &source);
    let graph = session.elaborated(front.experiment.eval)?;
    let smaller = front.smaller.into_iter().map(|smaller| session.elaborated(smaller.eval));
    let smaller = smaller.collect::<Result<_, _>>()?;
    let tasks = front.experiment.training.as_ref().map(|training| training.tasks.clone());
    let tasks = tasks.unwrap_or_default();
    let training = front.experiment.training.map(|training| (front.experiment.train, training));
    Ok(OpenedModel {
        model,
        graph,
        smaller,
        tasks,
        source,
        samples,
        classes,
        weights,
        from,
        training,
    })
}

/// The names of the classes: as the run's folder has them, else as the file of weights says, else as the
/// data do. None where classes are numbers.
fn class_names(
    info: Option<&RunInfo>,
    about: Option<&WeightsOrigin>,
    source: &DataSource,
) -> Vec<String> {
    let known = info.map(|info| &info.classes).or(about.map(|about| &about.classes));
    known.cloned().unwrap_or_else(|| source.class_names())
}

/// A failure of data, in its words.
pub(super) fn data_failure(error: DataError) -> Failure {
    Failure::Data(error.to_string())
}

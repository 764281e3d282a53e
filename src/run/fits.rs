//! Whether a checkpoint is one of a run: its model, its tensors, how far it is, its seed, batches and
//! data.

use crate::base::tensor::Tensor;
use crate::driver::misfits::shown;
use crate::run::build::BuiltRun;
use crate::runtime::checkpoint::{Checkpoint, CheckpointHeader, Identity};

/// Whether a checkpoint is one of this run: what does not fit, and what to do.
pub(super) fn fits(
    checkpoint: &Checkpoint,
    identity: &Identity,
    run: &BuiltRun,
) -> Result<(), String> {
    let header = &checkpoint.header;
    if header.model != identity.model {
        return Err(format!(
            "the checkpoint is of the model `{}`, the program trains `{}`",
            header.model, identity.model
        ));
    }
    let known: Vec<(&str, &Tensor)> = run.variables().collect();
    for (path, value) in &known {
        let Some((_, found)) = checkpoint.tensors.iter().find(|(name, _)| name == path) else {
            return Err(format!(
                "the checkpoint has no `{path}`, which the program has: its model or optimizer is \
                 another; `init_from` takes the weights that fit"
            ));
        };
        if found.shape != value.shape || found.dtype() != value.dtype() {
            return Err(format!(
                "`{path}` is {} in the checkpoint, but {} in the model",
                described(found),
                described(value)
            ));
        }
    }
    let of_run = |name: &str| known.iter().any(|(path, _)| *path == name);
    if let Some((name, value)) = checkpoint.tensors.iter().find(|(name, _)| !of_run(name)) {
        return Err(format!(
            "the checkpoint has `{name}` ({}), which the program does not have",
            described(value)
        ));
    }
    let state = &header.state;
    let epochs = run.settings().epochs;
    if state.epoch > epochs || state.epoch == epochs && state.batch > 0 {
        let inside = if state.batch > 0 { state.epoch + 1 } else { state.epoch };
        return Err(format!("the run is in epoch {inside} already: {epochs} epochs are too few"));
    }
    goes_on_alike(header, identity)
}

/// Whether the rest of a run would see the same random numbers, batches and data.
fn goes_on_alike(header: &CheckpointHeader, identity: &Identity) -> Result<(), String> {
    if header.seed != identity.seed {
        return Err(format!(
            "the run has seed {}, the program says {}: it would go on with other random numbers",
            header.seed, identity.seed
        ));
    }
    if header.batch != identity.batch {
        return Err(format!(
            "the run has batches of {}, the program says {}: it would go on with other batches",
            header.batch, identity.batch
        ));
    }
    if header.data != identity.data {
        return Err(
            "the data have changed since the checkpoint was written (their fingerprint is \
             another); a new run can begin with its weights: `init_from = \"best.safetensors\"`"
                .to_owned(),
        );
    }
    Ok(())
}

fn described(tensor: &Tensor) -> String {
    shown(tensor.dtype(), &tensor.shape)
}

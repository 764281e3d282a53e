//! The data source of a program: its schema, where files are missing what stands for it, and what is
//! wrong with it as a diagnostic at the argument that asked.

use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::field::NameKind;
use crate::base::fix::Edit;
use crate::base::schema::Schema;
use crate::base::shown::Show;
use crate::base::source::Span;
use crate::data::{
    self, Argument, DataError, FieldRequest, Mending, Places, SourceRequest, TransformCall, Watch,
};
use crate::driver::session::{Failure, Request, Session};
use crate::elaborate::{self, DataLiteral, DataRequest, FieldCall, SourceCall};
use std::path::Path;

/// A data source, asked for but not opened.
#[derive(Debug)]
pub struct DataSource {
    /// The request to the data module.
    pub request: SourceRequest,
    /// Fields of a sample, as far as arguments say it where files are missing; `None` where
    /// those say nothing.
    pub schema: Option<Schema>,
    /// Whether the schema is a guess, because files are missing.
    pub presumed: bool,
    pub(crate) item: DataRequest,
    places: Places,
}

impl DataSource {
    /// The names of the classes, where the data are there and have some.
    pub(crate) fn class_names(&self) -> Vec<String> {
        data::class_names(&self.request, &self.places)
    }

    /// Fields of a sample before the transforms.
    pub(crate) fn before(&self) -> Result<Schema, DataError> {
        data::source_schema(&self.request, &self.places)
    }
}

impl Session {
    /// Opens a data source; `watch` follows what takes long.
    #[expect(
        clippy::disallowed_methods,
        reason = "the time of reading data, which nothing depends on"
    )]
    pub fn open(
        &mut self,
        source: &DataSource,
        watch: Watch<'_>,
    ) -> Result<data::Dataset, Failure> {
        let start = std::time::Instant::now();
        let opened = data::open(&source.request, &source.places, watch);
        self.add_time("data", start.elapsed().as_secs_f64());
        opened.map_err(|error| match error.interrupted {
            true => Failure::Interrupted(error.message.into()),
            false => self.program_failure(vec![data_diagnostic(&error, &source.item)]),
        })
    }
}

/// The schemas of data sources, each asked for once.
#[derive(Clone)]
pub(crate) struct Schemas {
    /// Whether missing data are an error.
    need_data: bool,
    /// Whether the settings are as they are written: nothing on the command line changes them.
    pub as_written: bool,
    known: Vec<(SourceRequest, Result<Schema, DataError>)>,
    /// A schema that stands for the data's own, whatever is asked.
    given: Option<Schema>,
}

impl Schemas {
    pub fn new(need_data: bool) -> Self {
        Schemas { need_data, as_written: false, known: Vec::new(), given: None }
    }

    /// Of data that need not be there.
    pub fn given(schema: Schema) -> Self {
        Schemas { given: Some(schema), ..Schemas::new(true) }
    }

    /// Those of a program that is checked as it is written.
    pub fn as_written() -> Self {
        Schemas { as_written: true, ..Schemas::new(false) }
    }

    fn of(&mut self, request: &SourceRequest, places: &Places) -> Result<Schema, DataError> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        if let Some((_, schema)) = self.known.iter().find(|(known, _)| known == request) {
            return schema.clone();
        }
        let schema = data::schema(request, places);
        self.known.push((request.clone(), schema.clone()));
        schema
    }
}

/// A data source and its schema. Where files are missing and not needed, what the arguments say
/// stands for it, with a warning.
pub(crate) fn source(
    item: DataRequest,
    request: &Request,
    schemas: &mut Schemas,
    warnings: &mut Vec<Diagnostic>,
) -> Result<DataSource, Box<Diagnostic>> {
    let places = Places {
        beside: request.file.parent().unwrap_or(Path::new("")).to_path_buf(),
        nnc_data: request.nnc_data.clone(),
        override_: request.data.clone(),
        cache: request.cache.clone(),
        network: request.network,
        memory: request.memory,
    };
    let source_request = SourceRequest { fitted: request.fitted.clone(), ..source_request(&item) };
    let mut presumed = false;
    let schema = match schemas.of(&source_request, &places) {
        Ok(schema) => Some(schema),
        // What is wrong with a file that is there is wrong for every command.
        Err(error) if schemas.need_data || error.tried.is_empty() => {
            return Err(Box::new(data_diagnostic(&error, &item)));
        }
        Err(error) => {
            presumed = true;
            let schema = data::presumed(&source_request, &places)
                .map_err(|error| Box::new(data_diagnostic(&error, &item)))?;
            let mut warning = data_diagnostic(&error, &item);
            (warning.severity, warning.code) = (Severity::Warning, codes::MISSING_DATA);
            if let Some(classes) = schema.as_ref().and_then(Schema::classes) {
                let note = format!("`{}.classes` is taken to be {classes}", item.name);
                warning = warning.note(note);
            }
            warnings.push(warning);
            schema
        }
    };
    for line in schema.iter().flat_map(|schema| &schema.oddities) {
        let warning = Diagnostic::warning(codes::ODD_CLASSES, line.clone());
        let warning = warning.primary(item.source.span, "in these data");
        warnings.push(match data::help_for_oddities(&source_request) {
            Some(help) => warning.help(help),
            None => warning,
        });
    }
    Ok(DataSource { request: source_request, schema, presumed, item, places })
}

/// A `data` item as the request that the data module reads.
pub fn source_request(item: &DataRequest) -> SourceRequest {
    let field = |field: &FieldCall| FieldRequest {
        name: field.name.clone(),
        kind: call(&field.kind),
        transforms: field.transforms.iter().map(call).collect(),
        is_target: field.is_target,
    };
    SourceRequest {
        name: item.source.name.clone(),
        args: arguments(&item.source),
        transforms: item.transforms.iter().map(call).collect(),
        fields: item.fields.as_ref().map(|fields| fields.iter().map(field).collect()),
        fitted: None,
    }
}

fn call(call: &SourceCall) -> TransformCall {
    TransformCall::new(&call.name, arguments(call))
}

fn arguments(call: &SourceCall) -> Vec<Argument> {
    let argument = |argument: &elaborate::SourceArg| Argument {
        name: argument.name.clone(),
        value: literal(&argument.value),
    };
    call.args.iter().map(argument).collect()
}

fn literal(value: &DataLiteral) -> data::Literal {
    match value {
        DataLiteral::Int(value) => data::Literal::Int(*value),
        DataLiteral::Float(value) => data::Literal::Float(*value),
        DataLiteral::Bool(value) => data::Literal::Bool(*value),
        DataLiteral::Str(value) => data::Literal::Str(value.clone()),
        DataLiteral::Word(value) => data::Literal::Name(value.clone()),
        DataLiteral::List(values) => data::Literal::List(values.iter().map(literal).collect()),
        DataLiteral::Call(inner) => data::Literal::Call(call(inner)),
    }
}

/// An error of the data as a diagnostic at the argument or call that it is about.
fn data_diagnostic(error: &DataError, item: &DataRequest) -> Diagnostic {
    let field = error.field.and_then(|index| item.fields.as_ref()?.get(usize::from(index)));
    let (first, transforms) = match field {
        Some(field) => (&field.kind, &field.transforms),
        None => (&item.source, &item.transforms),
    };
    let call = match error.transform {
        Some(index) => &transforms[usize::from(index)],
        None => first,
    };
    let argument = error.argument.as_deref().and_then(|name| argument(call, name));
    let span: Span = argument.map_or(call.span, |argument| argument.span);
    let path = error.path.as_ref().map(|path| format!("{}: ", path.shown()));
    let message = format!("{}{}", path.unwrap_or_default(), error.message);
    let mut diagnostic =
        Diagnostic::error(codes::DATA_SOURCE, message).primary(span, "asked for here");
    for place in &error.tried {
        diagnostic = diagnostic.note(format!("looked in {place}"));
    }
    for note in &error.notes {
        diagnostic = diagnostic.note(note.clone());
    }
    if let Some(Mending::Misspelt(word, near)) = error.mending.as_deref() {
        let of_argument = call.args.iter().find(|argument| argument.name.as_ref() == Some(word));
        let span = of_argument.and_then(|argument| argument.name_span).unwrap_or(call.name_span);
        let near = near.iter().copied();
        diagnostic = match error.transform {
            Some(_) if of_argument.is_none() && field.is_none() => {
                diagnostic.unknown_item(span, word, near, &[NameKind::Transform])
            }
            _ => diagnostic.misspelt(span, word, near),
        };
    }
    if let (Some(Mending::Instead(text)), Some(argument)) = (error.mending.as_deref(), argument) {
        let edits = vec![Edit { span: argument.span, text: text.clone() }];
        diagnostic = diagnostic.fix(format!("write `{text}`"), edits);
    }
    match &error.help {
        Some(help) => diagnostic.help(help.to_string()),
        None => diagnostic,
    }
}

/// The argument that a call gives this name, or that stands in its place.
fn argument<'a>(call: &'a SourceCall, name: &str) -> Option<&'a elaborate::SourceArg> {
    let named = call.args.iter().find(|argument| argument.name.as_deref() == Some(name));
    named.or_else(|| {
        let place = data::argument_names(&call.name).iter().position(|known| *known == name)?;
        call.args.get(place).filter(|argument| argument.name.is_none())
    })
}

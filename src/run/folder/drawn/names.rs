//! The names of an output's classes, numbers and labels, as the data have them.

use crate::base::schema::Field;
use crate::data::Dataset;

/// The name of a class of a field; its number where it has none.
pub fn class_name(data: &Dataset, field: Option<&Field>, class: usize) -> String {
    let own = field.and_then(|field| field.recipe.as_ref()).map(|recipe| recipe.class_names());
    match own {
        Some(names) => names.get(class).map_or_else(|| class.to_string(), |name| seen(name)),
        // Names of the data are those of their first target.
        None if field
            .is_none_or(|it| Some(&it.name) == data.schema.target().map(|it| &it.name)) =>
        {
            data.class_name(class)
        }
        None => class.to_string(),
    }
}

/// A name, with signs for what nobody would see of it.
fn seen(name: &str) -> String {
    match name.trim().is_empty() {
        true => name.replace(' ', "␣").replace('\n', "⏎").replace('\t', "⇥"),
        false => name.to_owned(),
    }
}

/// The name of a number or label of a field, by its place.
pub fn number_name(field: Option<&Field>, place: usize, count: usize) -> String {
    let columns = field.and_then(|field| field.recipe.as_ref()).map(|recipe| &recipe.columns);
    let name = field.map_or("output", |field| &field.name);
    match columns {
        Some(columns) if columns.len() == count => columns[place].clone(),
        _ => format!("{name}_{place}"),
    }
}

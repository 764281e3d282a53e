//! A node of the graph that is being translated, with its attributes and inputs by name and place.
//!
//! Whatever is asked for is remembered, so that an attribute or input which nothing has asked for, and
//! which might change what the node means, makes it one that is not supported.

use crate::onnx::model::{OnnxAttribute, OnnxNode};
use std::cell::RefCell;
use std::collections::HashSet;

/// A node, and what of it has been asked for.
pub(super) struct NodeReader<'a> {
    pub node: &'a OnnxNode,
    /// The version of the operators.
    pub opset: i64,
    attributes: RefCell<HashSet<&'a str>>,
    inputs: RefCell<HashSet<usize>>,
}

impl<'a> NodeReader<'a> {
    pub fn new(node: &'a OnnxNode, opset: i64) -> NodeReader<'a> {
        let (attributes, inputs) = (RefCell::default(), RefCell::default());
        NodeReader { node, opset, attributes, inputs }
    }

    /// The name of an input, unless it is left out.
    pub fn input(&self, index: usize) -> Option<&'a str> {
        self.inputs.borrow_mut().insert(index);
        self.node.inputs.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    pub fn attribute(&self, name: &str) -> Option<&'a OnnxAttribute> {
        let (name, value) = self.node.attributes.iter().find(|(known, _)| known == name)?;
        self.attributes.borrow_mut().insert(name);
        Some(value)
    }

    pub fn int(&self, name: &str, default: i64) -> Result<i64, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(OnnxAttribute::Int(value)) => Ok(*value),
            Some(_) => Err(unfit(name, "a whole number")),
        }
    }

    pub fn float(&self, name: &str, default: f64) -> Result<f64, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(OnnxAttribute::Float(value)) if value.is_finite() => Ok(shortest(*value)),
            Some(_) => Err(unfit(name, "a finite number")),
        }
    }

    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(OnnxAttribute::Ints(values)) => Ok(Some(values.clone())),
            Some(_) => Err(unfit(name, "whole numbers")),
        }
    }

    pub fn text(&self, name: &str, default: &'a str) -> Result<&'a str, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(OnnxAttribute::String(bytes)) => {
                std::str::from_utf8(bytes).map_err(|_| unfit(name, "text"))
            }
            Some(_) => Err(unfit(name, "text")),
        }
    }

    /// Takes an attribute that changes nothing here.
    pub fn ignore(&self, names: &[&str]) {
        for name in names {
            self.attribute(name);
        }
    }

    /// An attribute that is there twice.
    pub fn repeated(&self) -> Option<&'a str> {
        let mut seen = HashSet::new();
        let mut names = self.node.attributes.iter().map(|(name, _)| name.as_str());
        names.find(|name| !seen.insert(*name))
    }

    /// An attribute or input that nothing has asked for.
    pub fn unread(&self) -> Option<String> {
        let (attributes, inputs) = (self.attributes.borrow(), self.inputs.borrow());
        let names = self.node.attributes.iter().map(|(name, _)| name.as_str());
        if let Some(name) = names.into_iter().find(|name| !attributes.contains(name)) {
            return Some(format!("the attribute `{name}`"));
        }
        let given = self.node.inputs.iter().enumerate().filter(|(_, name)| !name.is_empty());
        let unread = given.map(|(index, _)| index).find(|index| !inputs.contains(index))?;
        Some(format!("input {}", unread + 1))
    }
}

fn unfit(name: &str, what: &str) -> String {
    format!("the attribute `{name}` should be {what}")
}

/// The number that has the shortest text of those that round to this `f32`: 1e-5, not
/// 9.999999747378752e-6.
pub(super) fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

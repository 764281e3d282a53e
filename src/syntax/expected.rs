//! The alternatives that the grammar would have taken, in words.
//!
//! In: the rules that pest tried at the furthest place it reached. Out: a phrase for "expected …".
//!
//! ```text
//! [comma, close_paren, add, sub, …]    "`,` or `)`"
//! ```
//!
//! After a value any operator would do, which nobody wants to read: there only what could end the
//! expression is named.

use crate::syntax::grammar::Rule;

/// The phrase. `inside` is the innermost open bracket.
pub(super) fn expected(rules: &[Rule], inside: Option<&str>) -> String {
    let mut phrases: Vec<&str> = Vec::new();
    for phrase in rules.iter().filter_map(|&rule| phrase(rule)) {
        if !phrases.contains(&phrase) {
            phrases.push(phrase);
        }
    }
    if rules.contains(&Rule::add) {
        phrases = match inside {
            Some("(") => vec!["an operator", "`,`", "`)`"],
            Some("[") => vec!["an operator", "`,`", "`]`"],
            _ => vec!["an operator", "the end of the line"],
        };
    }
    match phrases.as_slice() {
        [] => "something else".to_string(),
        [one] => one.to_string(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Name of a rule for users; `None` for rules that are only parts of others.
fn phrase(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::name | Rule::on_data | Rule::arg_name => "a name",
        Rule::string => "a text in quotes",
        Rule::item | Rule::use_item | Rule::function => "an item",
        Rule::type_ => "a type",
        Rule::dim | Rule::rest_dim => "a dimension",
        Rule::parameter => "a parameter",
        Rule::statement | Rule::let_ | Rule::declaration | Rule::require_ | Rule::assign => {
            "a statement"
        }
        Rule::field | Rule::fields => "a field `name = kind`",
        Rule::train_key | Rule::train_keys => "a setting `key = value`",
        Rule::block | Rule::open_brace => "`{`",
        Rule::params | Rule::args | Rule::open_paren => "`(`",
        Rule::expr
        | Rule::pipeline
        | Rule::operation
        | Rule::operand
        | Rule::number
        | Rule::bool
        | Rule::list
        | Rule::paren
        | Rule::record
        | Rule::if_
        | Rule::scan
        | Rule::prefix
        | Rule::neg
        | Rule::not
        | Rule::arg => "an expression",
        Rule::index_at => "an index",
        Rule::stage | Rule::stage_call | Rule::repeat => "a stage",
        Rule::close_paren => "`)`",
        Rule::close_bracket => "`]`",
        Rule::close_brace => "`}`",
        Rule::comma => "`,`",
        Rule::of_type | Rule::colon => "`:`",
        Rule::equals | Rule::default => "`=`",
        Rule::arrow | Rule::result => "`->`",
        Rule::kw_in => "`in`",
        Rule::kw_none => "`none`",
        Rule::domain => "what the argument must satisfy, such as `>= 1`",
        Rule::dots | Rule::dots_to => "`..`",
        _ => return None,
    })
}

//! How a run is drawn and written for others to look at: plain data in, text or bytes out.
//!
//! ```text
//! scalars ─→ tensorboard   an event file that TensorBoard shows
//! curves  ─→ chart         one SVG
//! a run   ─→ html          one page: curves, confusion matrix, worst predictions, tables, sources
//! ```
//!
//! The output stands alone: no scripts, no fonts, nothing that is fetched. Nothing here knows
//! what a run is, takes the time, or prints. Names come from users and data sets, so each text
//! goes through [`escape`] on its way into a document.

pub mod chart;
mod escape;
pub mod html;
#[cfg(test)]
mod markup;
pub mod tensorboard;

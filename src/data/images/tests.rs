//! Image folders as a run uses them: every kind of file, damaged ones, odd folders, the cache.

mod cache;
mod colours;
mod damage;
mod folders;
mod formats;
mod sizes;
mod support;

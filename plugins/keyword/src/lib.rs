//! Which of thousands of keywords and regexes does a message hold? The plugin `keyword`.

pub mod fold;
pub mod lists;
pub mod matcher;
mod simplify;

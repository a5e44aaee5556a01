//! How is a regex written for folded texts?
//!
//! Its own characters are folded where they stand for themselves, so that `開票` and `ＱＱ群` are found in folded texts.
//! What is no character stays: `\W` is not `\w`, and a `（` becomes `\(` and no group.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{Ast, ClassSetItem, Literal, Span, Visitor, visit};

use crate::fold::Folder;

/// The pattern in its folded spelling. One that cannot be parsed stays as it is.
pub(super) fn folded(pattern: &str, folder: &Folder) -> String {
    let Ok(ast) = Parser::new().parse(pattern) else { return pattern.to_owned() };
    let Ok(changes) = visit(&ast, Speller { folder, changes: Vec::new() });
    let (mut out, mut kept) = (String::with_capacity(pattern.len()), 0);
    for (span, spelling) in changes {
        out.push_str(pattern.get(kept..span.start.offset).unwrap_or_default());
        out.push_str(&spelling);
        kept = span.end.offset;
    }
    out.push_str(pattern.get(kept..).unwrap_or_default());
    out
}

struct Speller<'a> {
    folder: &'a Folder,
    /// In the order of the pattern: the tree is walked from left to right.
    changes: Vec<(Span, String)>,
}

impl Speller<'_> {
    /// The folded form, if it is another one.
    fn form(&self, literal: &Literal) -> Option<String> {
        let form = self.folder.fold(literal.c.encode_utf8(&mut [0; 4]));
        (!form.chars().eq([literal.c])).then_some(form)
    }
}

impl Visitor for Speller<'_> {
    type Output = Vec<(Span, String)>;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<Self::Output, Self::Err> {
        Ok(self.changes)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        if let Ast::Literal(literal) = ast
            && let Some(form) = self.form(literal)
        {
            // A group, because what follows may be a repetition of it.
            let spelling = if form.chars().count() == 1 { spelled(&form) } else { format!("(?:{})", spelled(&form)) };
            self.changes.push((literal.span, spelling));
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        match item {
            // One that becomes none or two has no place in a class; texts do not hold it, so it does no harm there.
            ClassSetItem::Literal(literal) => {
                let form = self.form(literal).filter(|form| form.chars().count() == 1);
                self.changes.extend(form.map(|form| (literal.span, spelled(&form))));
            }
            // Of ranges only those of full-width signs keep their order.
            ClassSetItem::Range(range) => {
                let full_width = |literal: &Literal| ('\u{FF01}'..='\u{FF5E}').contains(&literal.c);
                if full_width(&range.start)
                    && full_width(&range.end)
                    && let (Some(start), Some(end)) = (self.form(&range.start), self.form(&range.end))
                    && start <= end
                {
                    self.changes.push((range.span, format!("{}-{}", spelled(&start), spelled(&end))));
                }
            }
            ClassSetItem::Empty(_)
            | ClassSetItem::Ascii(_)
            | ClassSetItem::Unicode(_)
            | ClassSetItem::Perl(_)
            | ClassSetItem::Bracketed(_)
            | ClassSetItem::Union(_) => {}
        }
        Ok(())
    }
}

/// So that it stands for itself wherever it stands, even where white space does not count.
fn spelled(form: &str) -> String {
    if form == " " { r"\x20".to_owned() } else { regex_syntax::escape(form) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Folding;

    #[test]
    fn spellings() {
        let folder = Folder::new(Folding { simplified: true, ..Folding::default() });
        for (name, pattern, want) in [
            ("nothing to change", r"\d+元|开票", r"\d+元|开票"),
            ("letters", r"QQ群\W\S", r"qq群\W\S"),
            ("traditional", "開(發票|收據)+", "开(发票|收据)+"),
            ("full width", "\u{FF31}\u{FF31}\u{FF0B}", r"qq\+"),
            ("no group", "\u{FF08}a\u{FF09}", r"\(a\)"),
            ("in a class", "[\u{FF08}發\u{FF0D}x]", r"[\(发\-x]"),
            ("full-width range", "[\u{FF10}-\u{FF19}]", "[0-9]"),
            ("another range", "[一-龥]", "[一-龥]"),
            ("white space", "a\u{3000}b", r"a\x20b"),
            ("none left", "a\u{200B}*", "a(?:)*"),
            ("two for one", "İ?", "(?:i\u{307})?"),
            ("by number", r"\u{FF21}\x41", "aa"),
            ("broken", "(開", "(開"),
        ] {
            assert_eq!(folded(pattern, &folder), want, "{name}");
        }
    }
}

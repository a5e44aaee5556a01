//! How are attributes written? As texts, flags and `key = value`, between commas.

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, ExprLit, ExprUnary, Ident, Lit, LitStr, Token, UnOp};

/// What stands between the brackets of an attribute.
pub(super) struct Items(Vec<Item>);

pub(super) enum Item {
    Text(LitStr),
    Flag(Ident),
    Value(Ident, Expr),
}

impl Parse for Items {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut items = Vec::new();
        while !input.is_empty() {
            if input.peek(LitStr) {
                items.push(Item::Text(input.parse()?));
            } else {
                let key = input.call(Ident::parse_any)?;
                if input.peek(Token![=]) {
                    input.parse::<Token![=]>()?;
                    items.push(Item::Value(key, input.parse()?));
                } else {
                    items.push(Item::Flag(key));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Self(items))
    }
}

impl IntoIterator for Items {
    type Item = Item;
    type IntoIter = std::vec::IntoIter<Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A key that is not known, with the one that was probably meant.
pub(super) fn unknown(key: &Ident, what: &str, known: &[&str]) -> Error {
    let said = key.to_string();
    let help = match nearest(&said, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known are `{}`", known.join("`, `")),
    };
    Error::new(key.span(), format!("{what} knows no `{said}`: {help}"))
}

/// The known word that is most like this one, if any is.
pub(super) fn nearest<'a>(said: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |word: &&str| strsim::damerau_levenshtein(&said.to_lowercase(), &word.to_lowercase());
    let close = known.iter().map(|word| (distance(word), *word)).min_by_key(|(distance, _)| *distance);
    close.filter(|(distance, word)| *distance <= 2.min(word.len() / 2)).map(|(_, word)| word)
}

fn literal(value: &Expr) -> Option<&Lit> {
    if let Expr::Lit(ExprLit { lit, .. }) = value { Some(lit) } else { None }
}

pub(super) fn text(value: &Expr) -> syn::Result<LitStr> {
    let Some(Lit::Str(text)) = literal(value) else {
        return Err(Error::new_spanned(value, "this is a text: `\"…\"`"));
    };
    Ok(text.clone())
}

pub(super) fn texts(value: &Expr) -> syn::Result<Vec<LitStr>> {
    let Expr::Array(list) = value else {
        return Err(Error::new_spanned(value, "this is a list of texts: `[\"…\", \"…\"]`"));
    };
    list.elems.iter().map(text).collect()
}

pub(super) fn truth(value: &Expr) -> syn::Result<bool> {
    let Some(Lit::Bool(truth)) = literal(value) else {
        return Err(Error::new_spanned(value, "this is `true` or `false`"));
    };
    Ok(truth.value)
}

pub(super) fn number(value: &Expr) -> syn::Result<i32> {
    let wrong = || Error::new_spanned(value, "this is a whole number, like `5` or `-5`");
    if let Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) = value {
        return number(expr)?.checked_neg().ok_or_else(wrong);
    }
    let Some(Lit::Int(number)) = literal(value) else { return Err(wrong()) };
    number.base10_parse()
}

/// One of a few words that stand for themselves.
pub(super) fn word<'a>(value: &Expr, known: &[&'a str]) -> syn::Result<&'a str> {
    let said = if let Expr::Path(path) = value { path.path.segments.last() } else { None };
    let Some(said) = said.map(|last| &last.ident) else {
        return Err(Error::new_spanned(value, format!("this is one of `{}`", known.join("`, `"))));
    };
    known.iter().find(|word| said == **word).copied().ok_or_else(|| unknown(said, "this", known))
}

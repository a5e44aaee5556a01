//! What can be said of a whole plugin in `#[plugin(…)]`?

use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, LitStr, Type, parse_quote};

use super::check;
use super::items::{Item, Items, number, text, truth, unknown};

const KNOWN: [&str; 8] = ["id", "about", "version", "config", "needs", "priority", "wants_late", "watches"];

#[derive(Default)]
pub(super) struct Options {
    pub(super) id: Option<LitStr>,
    pub(super) about: Option<LitStr>,
    pub(super) version: Option<Expr>,
    pub(super) config: Option<Type>,
    pub(super) needs: Option<Expr>,
    pub(super) priority: i32,
    pub(super) wants_late: bool,
    pub(super) watches: bool,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        for item in Items::parse(input)? {
            match item {
                Item::Text(text) => {
                    return Err(Error::new(
                        text.span(),
                        format!("the name of a plugin is written `id = {:?}`", text.value()),
                    ));
                }
                Item::Flag(key) if key == "wants_late" => options.wants_late = true,
                Item::Flag(key) if key == "watches" => options.watches = true,
                Item::Flag(key) if KNOWN.iter().any(|known| key == known) => {
                    return Err(Error::new(key.span(), format!("`{key}` needs a value: `{key} = …`")));
                }
                Item::Flag(key) => return Err(unknown(&key, "`#[plugin]`", &KNOWN)),
                Item::Value(key, value) => match key.to_string().as_str() {
                    "id" => options.id = Some(check::id(text(&value)?)?),
                    "about" => options.about = Some(text(&value)?),
                    "version" => options.version = Some(value),
                    "config" => options.config = Some(a_type(&value)?),
                    "needs" => options.needs = Some(value),
                    "priority" => options.priority = number(&value)?,
                    "wants_late" => options.wants_late = truth(&value)?,
                    "watches" => options.watches = truth(&value)?,
                    _ => return Err(unknown(&key, "`#[plugin]`", &KNOWN)),
                },
            }
        }
        Ok(options)
    }
}

fn a_type(value: &Expr) -> syn::Result<Type> {
    let Expr::Path(path) = value else {
        return Err(Error::new_spanned(value, "this is the type of the plugin's settings: `config = WeatherConfig`"));
    };
    Ok(parse_quote!(#path))
}

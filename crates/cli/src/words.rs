//! Which language does the person read? Simplified Chinese where the locale says so, else English.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_runtime::explain;
use wxbot_runtime::session::cure::{Cure, state_word};

/// A language of the start-up lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lang {
    En,
    Zh,
}

impl Lang {
    /// From the environment, first of `LC_ALL`, `LC_MESSAGES`, `LANG` that is set.
    pub(crate) fn of_environment() -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        Self::of(set.as_deref().unwrap_or_default())
    }

    fn of(locale: &str) -> Self {
        if locale.starts_with("zh") { Self::Zh } else { Self::En }
    }

    /// The text of this language.
    pub(crate) fn pick<'a>(self, en: &'a str, zh: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }

    /// The word for a state.
    pub(crate) fn state(self, word: &str) -> &str {
        state_word(word, self.into())
    }
}

impl Lang {
    /// What a person can do about the state of an account, as `wxbot accounts --json` has it.
    pub(crate) fn cure(self, account: &Value) -> String {
        let text = |key: &str| account.get(key).and_then(Value::as_str).unwrap_or_default();
        let known = account.get("cure").and_then(|cure| Cure::deserialize(cure).ok());
        known.map_or_else(|| text("todo").to_owned(), |cure| cure.tell(text("name"), self.into()))
    }
}

impl From<Lang> for explain::Lang {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::En => Self::En,
            Lang::Zh => Self::Zh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales() {
        for (locale, want) in
            [("zh_CN.UTF-8", Lang::Zh), ("zh", Lang::Zh), ("en_US.UTF-8", Lang::En), ("C", Lang::En), ("", Lang::En)]
        {
            assert_eq!(Lang::of(locale), want, "{locale}");
        }
        assert_eq!(Lang::Zh.state("online"), "在线");
        assert_eq!(Lang::En.state("online"), "online");
    }
}

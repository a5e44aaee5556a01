//! Where does a passphrase come from? A file, the environment, or the person at the terminal, unseen.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use wxbot_model::Secret;
use wxbot_runtime::backup::passphrase::{PassphraseError, SHORTEST};

use crate::report::{Failure, OrExit};

const VARIABLE: &str = "WXBOT_BACKUP_PASSPHRASE";
/// Longer lines are no passphrases.
const LONGEST: u64 = 4096;

/// The passphrase; of one that is `new`, the person is asked twice.
pub(crate) fn passphrase_of(file: Option<&Path>, new: bool) -> Result<Secret<String>, Failure> {
    let given = match (file, std::env::var(VARIABLE)) {
        (Some(path), _) => {
            let what = format!("cannot read {}", path.display());
            line(&mut BufReader::new(File::open(path).or_exit(&what)?)).or_exit(&what)?
        }
        (None, Ok(text)) if !text.is_empty() => text,
        (None, _) if io::stdin().is_terminal() => asked(new)?,
        (None, _) => {
            return Err(Failure::new(format!("no passphrase: give one by {VARIABLE} or --passphrase-file")));
        }
    };
    if given.chars().count() < SHORTEST {
        return Err(Failure::new(PassphraseError::Short.to_string()));
    }
    Ok(Secret::new(given))
}

fn asked(new: bool) -> Result<String, Failure> {
    let first = unseen("passphrase: ").or_exit("cannot read the passphrase")?;
    if new && unseen("once more: ").or_exit("cannot read the passphrase")? != first {
        return Err(Failure::new("the two are not the same"));
    }
    Ok(first)
}

/// A line that the terminal does not show.
fn unseen(prompt: &str) -> io::Result<String> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
    write!(io::stderr(), "{prompt}").and_then(|()| io::stderr().flush()).ok();
    let read = line(&mut stdin.lock());
    tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    writeln!(io::stderr()).ok();
    read
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.take(LONGEST).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

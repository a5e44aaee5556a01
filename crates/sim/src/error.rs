//! What can the phone side and the control API be told instead of yes?

/// Why an order to the simulator was not carried out. `Display` names what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// No account of that name.
    #[error("no account named `{0}`")]
    UnknownAccount(String),
    /// An account of that name or uin is there already.
    #[error("an account with the name `{name}` or uin {uin} is there already")]
    DuplicateAccount {
        /// Name asked for.
        name: String,
        /// Uin asked for, or the one that was drawn.
        uin: u64,
    },
    /// No QR code or login prompt with that uuid.
    #[error("no login with uuid `{0}`")]
    UnknownUuid(String),
    /// The login is not at the point where this can happen.
    #[error("login `{uuid}` is {state}: cannot {wanted}")]
    LoginState {
        /// Which login.
        uuid: String,
        /// Where it stands.
        state: &'static str,
        /// What was asked.
        wanted: &'static str,
    },
    /// The account knows nobody of that name.
    #[error("account `{account}` knows nobody called `{name}`")]
    UnknownPerson {
        /// Whose address book was searched.
        account: String,
        /// Nick, remark, alias or wxid asked for.
        name: String,
    },
    /// The account has no such room.
    #[error("account `{account}` has no room `{room}`")]
    UnknownRoom {
        /// Whose rooms were searched.
        account: String,
        /// Topic asked for.
        room: String,
    },
    /// The speaker is not in the room.
    #[error("`{name}` is not a member of room `{room}`")]
    NotAMember {
        /// Topic of the room.
        room: String,
        /// Who should have spoken.
        name: String,
    },
    /// No delivered message has this id.
    #[error("account `{account}` was never delivered a message {msg_id}")]
    UnknownMessage {
        /// Whose log was searched.
        account: String,
        /// MsgId asked for.
        msg_id: String,
    },
    /// The account has no live session.
    #[error("account `{0}` has no session")]
    NoSession(String),
    /// The media of all messages and uploads would take more than the world's `media_limit`.
    #[error("no room for {bytes} bytes: `media_limit` is reached")]
    MediaFull {
        /// Length of what was to be kept.
        bytes: usize,
    },
    /// The order contradicts itself or is out of range.
    #[error("{0}")]
    Invalid(String),
}

/// Why a world file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The file cannot be read.
    #[error("cannot read world file {path}")]
    Read {
        /// Path given.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML, or not a world. The source's text shows line and column.
    #[error("world file is wrong: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Well-formed, but it names something twice or not at all.
    #[error("world file is wrong: {0}")]
    Meaning(String),
}

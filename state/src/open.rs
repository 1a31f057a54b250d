//! Creating and opening the file: its place, its mode, its version, its health.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::StateError;
use crate::identity::NewState;
use crate::schema::{self, APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION};
use crate::shared::RemoteSide;
use crate::time::millis;
use crate::write::Numbers;

/// How long a write waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);

/// Above this size the tables of samples are left out of the check on opening; `State::check` looks at everything.
const FULL_CHECK_BYTES: u64 = 256 * 1024 * 1024;

/// The tables that grow with time.
const SAMPLE_TABLES: [&str; 4] = [
    "capacity_samples",
    "metric_samples",
    "metric_rollups",
    "decisions",
];

/// What a state is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Reading and writing; an older schema is brought to the newest.
    ReadWrite,
    /// Reading alone, beside any writer. An older schema is refused as [`StateError::ReadOnly`].
    ReadOnly,
}

/// One open connection to a state. Reads are its methods; writes go through [`State::write`].
pub struct State {
    pub(crate) connection: Connection,
    path: Option<PathBuf>,
    mode: OpenMode,
    numbers: Numbers,
    commits: u64,
    on_commit: Option<Box<dyn FnMut(u64) + Send>>,
    before_commit: Option<Box<dyn FnMut(u64) + Send>>,
    /// Held while the lease is: frees itself when the process dies.
    pub(crate) lock: Option<File>,
    /// After the connection: it removes the file when it is dropped.
    pub(crate) remote: Option<RemoteSide>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("path", &self.path)
            .field("mode", &self.mode)
            .field("commits", &self.commits)
            .finish_non_exhaustive()
    }
}

/// What a transaction borrows, apart from each other.
pub(crate) struct Parts<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) numbers: &'a mut Numbers,
    pub(crate) next_commit: u64,
    pub(crate) before_commit: Option<&'a mut Box<dyn FnMut(u64) + Send>>,
}

impl State {
    /// Makes a state: the file with mode 0600, missing directories with 0700.
    ///
    /// # Errors
    /// [`StateError::AlreadyExists`], [`StateError::NotAState`] where something else is there, [`StateError::Io`].
    pub fn create(path: impl AsRef<Path>, new: &NewState) -> Result<State, StateError> {
        let path = path.as_ref();
        if let Some(directory) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            make_directory(directory).map_err(|source| io_error(directory, source))?;
        }
        private_file(path).map_err(|source| io_error(path, source))?;
        let mut connection = Connection::open_with_flags(path, flags(OpenMode::ReadWrite))?;
        refuse_foreign(&connection, path)?;
        configure(&connection, OpenMode::ReadWrite)?;
        initialize(&mut connection, Some(path), new)?;
        Ok(State::from_connection(
            connection,
            Some(path),
            OpenMode::ReadWrite,
        ))
    }

    /// Opens a state that exists.
    ///
    /// # Errors
    /// [`StateError::NotFound`], [`StateError::NotAState`], [`StateError::Newer`], [`StateError::Corrupt`],
    /// [`StateError::Io`].
    pub fn open(path: impl AsRef<Path>, mode: OpenMode) -> Result<State, StateError> {
        let path = path.as_ref();
        let size = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(StateError::NotAState {
                    path: path.to_owned(),
                    reason: "it is a directory".to_owned(),
                });
            }
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(not_found(path));
            }
            Err(source) => return Err(io_error(path, source)),
        };
        let mut connection = connect(path, mode)?;
        refuse_foreign(&connection, path)?;
        let found = schema::version(&connection)?;
        if found > SCHEMA_VERSION {
            return Err(StateError::Newer {
                found,
                supported: SCHEMA_VERSION,
            });
        }
        if found == 0 {
            // Left by a `create` that did not come to its end.
            return Err(not_found(path));
        }
        configure(&connection, mode)?;
        quick_check(&connection, size)?;
        if found < SCHEMA_VERSION {
            if mode == OpenMode::ReadOnly {
                return Err(StateError::ReadOnly);
            }
            keep_copy(&connection, path, found)?;
            schema::migrate(&mut connection, MIGRATIONS, |_, _| Ok(()))?;
        }
        Ok(State::from_connection(connection, Some(path), mode))
    }

    /// Opens a state for reading and writing, and makes it where there is none.
    ///
    /// # Errors
    /// As [`State::open`] and [`State::create`].
    pub fn open_or_create(path: impl AsRef<Path>, new: &NewState) -> Result<State, StateError> {
        let path = path.as_ref();
        match State::open(path, OpenMode::ReadWrite) {
            Err(StateError::NotFound { .. }) => match State::create(path, new) {
                // Somebody else was faster.
                Err(StateError::AlreadyExists { .. }) => State::open(path, OpenMode::ReadWrite),
                created => created,
            },
            opened => opened,
        }
    }

    /// A state that is gone with the value.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn in_memory(new: &NewState) -> Result<State, StateError> {
        let mut connection = Connection::open_in_memory()?;
        configure(&connection, OpenMode::ReadWrite)?;
        initialize(&mut connection, None, new)?;
        Ok(State::from_connection(
            connection,
            None,
            OpenMode::ReadWrite,
        ))
    }

    fn from_connection(connection: Connection, path: Option<&Path>, mode: OpenMode) -> State {
        connection.set_prepared_statement_cache_capacity(64);
        State {
            connection,
            path: path.map(Path::to_owned),
            mode,
            numbers: Numbers::default(),
            commits: 0,
            on_commit: None,
            before_commit: None,
            lock: None,
            remote: None,
        }
    }

    /// Goes on with another file; who watches commits goes on watching.
    pub(crate) fn replace_with(&mut self, other: State) {
        let State {
            connection,
            path,
            mode,
            ..
        } = other;
        self.connection = connection;
        self.path = path;
        self.mode = mode;
        self.numbers = Numbers::default();
        self.lock = None;
    }

    /// The file; `None` for one in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What it was opened for.
    pub fn mode(&self) -> OpenMode {
        self.mode
    }

    /// How many transactions were committed by this connection.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// Calls `callback` with the number of commits after each of them, when it is on the disk. For tests that end
    /// the process between two recorded steps.
    pub fn on_commit(&mut self, callback: impl FnMut(u64) + Send + 'static) {
        self.on_commit = Some(Box::new(callback));
    }

    /// Calls `callback` with the number that each commit will have, right before it: for tests that end the process
    /// with a transaction open.
    pub fn before_commit(&mut self, callback: impl FnMut(u64) + Send + 'static) {
        self.before_commit = Some(Box::new(callback));
    }

    pub(crate) fn committed(&mut self) {
        self.commits += 1;
        if let Some(callback) = &mut self.on_commit {
            callback(self.commits);
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn parts(&mut self) -> Parts<'_> {
        Parts {
            connection: &mut self.connection,
            numbers: &mut self.numbers,
            next_commit: self.commits + 1,
            before_commit: self.before_commit.as_mut(),
        }
    }
}

fn flags(mode: OpenMode) -> OpenFlags {
    let access = match mode {
        OpenMode::ReadWrite => OpenFlags::SQLITE_OPEN_READ_WRITE,
        OpenMode::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn connect(path: &Path, mode: OpenMode) -> Result<Connection, StateError> {
    let connection = Connection::open_with_flags(path, flags(mode))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if mode == OpenMode::ReadWrite {
        return Ok(connection);
    }
    // Reading a WAL database writes its index beside it. Where the directory does not allow that, and no log is
    // left to replay, the file itself is complete.
    let probe = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
        row.get::<_, i64>(0)
    });
    match probe {
        Err(error)
            if error.sqlite_error_code() == Some(ErrorCode::CannotOpen)
                && !with_suffix(path, "-wal").exists() =>
        {
            let uri = format!("file:{}?immutable=1", percent_encoded(path));
            Ok(Connection::open_with_flags(
                uri,
                flags(mode) | OpenFlags::SQLITE_OPEN_URI,
            )?)
        }
        _ => Ok(connection),
    }
}

fn configure(connection: &Connection, mode: OpenMode) -> Result<(), StateError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    if mode == OpenMode::ReadWrite {
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // An intent must be on the disk before the call that it announces.
        connection.pragma_update(None, "synchronous", "FULL")?;
    }
    Ok(())
}

/// Refuses what is no database, or the database of another program. An empty file passes.
fn refuse_foreign(connection: &Connection, path: &Path) -> Result<(), StateError> {
    let not_a_state = |reason: String| StateError::NotAState {
        path: path.to_owned(),
        reason,
    };
    let read = || -> rusqlite::Result<(i32, i64)> {
        let id = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let tables =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((id, tables))
    };
    match read() {
        Ok((APPLICATION_ID, _)) | Ok((0, 0)) => Ok(()),
        Ok(_) => Err(not_a_state(
            "it is the database of another program".to_owned(),
        )),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(not_a_state("it is not an SQLite database".to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

fn initialize(
    connection: &mut Connection,
    path: Option<&Path>,
    new: &NewState,
) -> Result<(), StateError> {
    schema::migrate(connection, MIGRATIONS, |sql, found| {
        if found > 0 {
            return Err(StateError::AlreadyExists {
                path: path.unwrap_or(Path::new(":memory:")).to_owned(),
            });
        }
        sql.pragma_update(None, "application_id", APPLICATION_ID)?;
        sql.execute(
            "INSERT INTO meta (id, workspace, lineage, serial, created_at) VALUES (1, ?1, ?2, 0, ?3)",
            (&new.workspace, &new.lineage, millis(new.created_at)),
        )?;
        Ok(())
    })
}

fn quick_check(connection: &Connection, size: u64) -> Result<(), StateError> {
    let mut checks = vec!["PRAGMA quick_check(1)".to_owned()];
    if size > FULL_CHECK_BYTES {
        let mut statement =
            connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        checks = names
            .filter(|name| !matches!(name, Ok(name) if SAMPLE_TABLES.contains(&name.as_str())))
            .map(|name| Ok(format!("PRAGMA quick_check('{}')", name?)))
            .collect::<rusqlite::Result<_>>()?;
    }
    for check in checks {
        let answer: String = connection.query_row(&check, [], |row| row.get(0))?;
        if answer != "ok" {
            return Err(StateError::Corrupt { problem: answer });
        }
    }
    Ok(())
}

/// Keeps the file as it was before a migration, beside it: `default.db.v1.bak`.
fn keep_copy(connection: &Connection, path: &Path, version: u32) -> Result<(), StateError> {
    let copy = with_suffix(path, &format!(".v{version}.bak"));
    if !copy.exists() {
        copy_into(connection, &copy)?;
    }
    Ok(())
}

/// A consistent, compact copy; the file must not exist.
pub(crate) fn copy_into(connection: &Connection, to: &Path) -> Result<(), StateError> {
    private_new_file(to).map_err(|source| io_error(to, source))?;
    let Some(name) = to.to_str() else {
        return Err(StateError::Unrecordable {
            what: "the copy".to_owned(),
            why: format!("{} is not UTF-8", to.display()),
        });
    };
    connection.execute("VACUUM INTO ?1", [name])?;
    Ok(())
}

/// `path` with something added to its file name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn not_found(path: &Path) -> StateError {
    StateError::NotFound {
        path: path.to_owned(),
    }
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> StateError {
    StateError::Io {
        path: path.to_owned(),
        source,
    }
}

fn percent_encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens a file, made with mode 0600 where there is none.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    private().create(true).truncate(false).open(path)
}

fn private_new_file(path: &Path) -> io::Result<File> {
    private().create_new(true).open(path)
}

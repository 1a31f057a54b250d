//! The Python packages of the tests: a virtual environment under `target/`, made once and again when the list changes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What to say when the environment cannot be made.
const NEEDS: &str = "The tests against AWS need Python 3.10 or newer with its venv and pip modules (Debian and Ubuntu: \
the package python3-venv), and at their first run a package index that pip can reach. TIDEFORM_TEST_PYTHON names \
another interpreter than python3.";

/// `tests/aws` of the repository.
pub(crate) fn server_directory() -> PathBuf {
    root().join("tests").join("aws")
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap_or(here).to_owned()
}

/// The interpreter of the environment, which is made first where it is missing or of another list of packages.
pub(crate) fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            let target = std::env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| root().join("target"), PathBuf::from);
            let system =
                std::env::var("TIDEFORM_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
            ensure(
                &target,
                &server_directory().join("requirements.txt"),
                &system,
            )
            .unwrap_or_else(|problem| panic!("{problem}\n{NEEDS}"))
        })
        .clone()
}

/// Makes `<target>/aws-venv`, unless the list that it was made from is still this one.
fn ensure(target: &Path, requirements: &Path, system: &str) -> Result<PathBuf, String> {
    let wanted = fs::read_to_string(requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    let folder = target.join("aws-venv");
    let (stamp, python) = (
        folder.join("made-from.txt"),
        folder.join("bin").join("python"),
    );
    let _lock = lock(target)?; // test binaries run side by side
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) && python.exists() {
        return Ok(python);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let version = "import sys; sys.exit(0 if sys.version_info >= (3, 10) else f'this is Python {sys.version}')";
    run(Command::new(system).args(["-c", version]))?;
    run(Command::new(system).args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ])
        .args(["--require-hashes", "--only-binary", ":all:", "-r"])
        .arg(requirements))?;
    // Last: an installation that was cut short is made anew.
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

fn lock(target: &Path) -> Result<File, String> {
    let path = target.join("aws-venv.lock");
    let locked = fs::create_dir_all(target)
        .and_then(|()| File::create(&path))
        .and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| format!("{}: {error}", path.display()))
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let done = command
        .output()
        .map_err(|error| format!("{shown}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!("{shown} failed:\n{}", said.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tideform-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn an_environment_is_made_once_for_a_list_and_a_failed_one_is_no_environment() {
        let folder = scratch("venv");
        let (list, mark) = (
            folder.join("requirements.txt"),
            folder.join("aws-venv").join("mark"),
        );
        fs::write(&list, "# none\n").unwrap();
        assert!(ensure(&folder, &list, "python3").unwrap().exists());
        fs::write(&mark, "").unwrap();
        ensure(&folder, &list, "python3").unwrap();
        assert!(mark.exists(), "it was made twice");

        fs::write(&list, "six==1.17.0 --hash=sha256:00\n").unwrap();
        let problem = ensure(&folder, &list, "python3").unwrap_err();
        assert!(
            problem.contains("pip") && problem.contains("failed"),
            "{problem}"
        );
        assert!(!mark.exists(), "another list, and not made anew");
        assert!(!folder.join("aws-venv").join("made-from.txt").exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_missing_interpreter_is_named() {
        let folder = scratch("venv-none");
        let list = folder.join("requirements.txt");
        fs::write(&list, "").unwrap();
        let problem = ensure(&folder, &list, "python-that-is-none").unwrap_err();
        assert!(problem.contains("python-that-is-none"), "{problem}");
        fs::remove_dir_all(folder).unwrap();
    }
}

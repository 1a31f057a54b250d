//! The examples of the repository, inside the binary: for `init --example` and for the demo.

use std::io;
use std::path::Path;

/// One example: its files by their path in the directory.
pub struct Example {
    /// What `init --example` calls it.
    pub name: &'static str,
    /// The folder in the repository's `examples/`.
    pub folder: &'static str,
    /// Path in the directory, and content.
    pub files: &'static [(&'static str, &'static str)],
}

macro_rules! example {
    ($name:literal, $folder:literal, [$($file:literal),* $(,)?]) => {
        Example {
            name: $name,
            folder: $folder,
            files: &[
                $(($file, include_str!(concat!("../examples/", $folder, "/", $file))),)*
                ("traffic/NOTICE.md", include_str!("../examples/NOTICE.md")),
            ],
        }
    };
}

/// All of them.
pub const ALL: &[Example] = &[
    example!("web", "web-shop", ["shop.hcl", "traffic/ecommerce-api.csv"]),
    example!(
        "queue",
        "queue-worker",
        ["worker.hcl", "traffic/purchases.csv"]
    ),
    example!(
        "environments",
        "environments",
        [
            "main.hcl",
            "variables.hcl",
            "production.vars.hcl",
            "staging.vars.hcl",
            "traffic/mongo-app.csv",
        ]
    ),
];

/// The example of this name.
pub fn find(name: &str) -> Option<&'static Example> {
    ALL.iter().find(|example| example.name == name)
}

impl Example {
    /// Writes all files into a directory, which is made where it is missing. Existing files are not overwritten.
    ///
    /// # Errors
    /// The file system's; what was written before stays.
    pub fn write_to(&self, directory: &Path) -> io::Result<()> {
        for (name, text) in self.files {
            let path = directory.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            let mut file = std::fs::File::create_new(&path)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files_below(root: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(root).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with('.') {
                    files_below(&entry.path(), &format!("{name}/"), found);
                }
            } else {
                found.push(name);
            }
        }
    }

    #[test]
    fn every_file_of_an_example_is_in_the_binary() {
        for example in ALL {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("examples")
                .join(example.folder);
            let mut files = Vec::new();
            files_below(&root, "", &mut files);
            for file in files {
                assert!(
                    example.files.iter().any(|(name, _)| *name == file),
                    "{}/{file}",
                    example.folder
                );
            }
        }
    }
}

//! Files that a scenario names: read when it is loaded, from its folder or from what was attached.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use crate::engine::{Bytes, Lexicon};
use crate::parts::Recording;
use crate::scenario::names;

/// The files that a scenario may name.
#[derive(Clone, Debug, Default)]
pub(in crate::scenario) struct Files {
    /// The folder of the scenario.
    folder: PathBuf,
    /// Files that are here already, by the path that a scenario names them by.
    attached: BTreeMap<String, Arc<str>>,
    /// What was read already, also as far as it could not be: a mistake elsewhere in the scenario
    /// has it read more than once.
    known: Rc<RefCell<BTreeMap<String, Result<Recording, String>>>>,
}

/// What is said of a file that cannot be read.
const HERE: &str = "files are named from the folder of the scenario";

/// Longer files are refused: they would have more rows than there is room for.
const FILE_MAX: Bytes = Bytes(512 << 20);

impl Files {
    /// Those beside the scenario at `path`.
    pub fn beside(path: &str) -> Files {
        let folder = Path::new(path).parent().map(Path::to_owned).unwrap_or_default();
        Files { folder, ..Files::default() }
    }

    /// The same, and this text under this path.
    pub fn attach(&mut self, path: &str, text: &str) {
        self.attached.insert(path.to_owned(), text.into());
    }

    /// The arrivals that stand in a file.
    pub fn recording(&self, path: &str, lexicon: &mut Lexicon) -> Result<Recording, String> {
        if let Some(known) = self.known.borrow().get(path) {
            return known.clone();
        }
        let read = self.read(path).and_then(|text| {
            let intern = |name: &str| match lexicon.intern(name) {
                _ if name.is_empty() => Err("a class cannot be empty".to_owned()),
                Ok(name) => Ok(name),
                Err(other) => Err(format!("`{name}` and `{other}` have the same hash")),
            };
            Recording::read(&text, intern)
                .map_err(|what| format!("{path}:{what}\nthis file of arrivals cannot be used"))
        });
        self.known.borrow_mut().insert(path.to_owned(), read.clone());
        read
    }

    fn read(&self, path: &str) -> Result<Arc<str>, String> {
        if let Some(text) = self.attached.get(path) {
            return Ok(text.clone());
        }
        let place = self.folder.join(path);
        let shown = place.display();
        let unread = |error: std::io::Error| format!("`{shown}` cannot be read: {error}\n{HERE}");
        let metadata = fs::metadata(&place).map_err(unread)?;
        if !metadata.is_file() {
            return Err(format!("`{shown}` is not a regular file\n{HERE}"));
        }
        let mut bytes = Vec::new();
        let file = File::open(&place).map_err(unread)?;
        file.take(FILE_MAX.0 + 1).read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() as u64 > FILE_MAX.0 {
            return Err(format!("`{shown}` is larger than {FILE_MAX}\n{HERE}"));
        }
        let text = String::from_utf8(bytes);
        let text = text.map_err(|error| format!("`{shown}` is no UTF-8 text: {error}\n{HERE}"))?;
        Ok(text.into())
    }
}

impl<'de> Deserialize<'de> for Recording {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Recording, D::Error> {
        let path = String::deserialize(deserializer)?;
        names::recording(&path).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::diagnose::render;
    use crate::scenario::load;
    use crate::scenario::source::Source;

    const SCENARIO: &str = r#"Scenario(
    title: "A recorded load",
    run: (load: "10s"),
    nodes: {
        "users": Client(
            target: "server",
            operation: "go",
            load: Trace(file: "arrivals.csv"),
            classes: [(name: "a"), (name: "b")],
        ),
        "server": Service(operations: {"go": ()}),
    },
    variants: [(name: "one"), (name: "two", set: {"nodes.users.classes": "[(name: \"a\")]"})],
)"#;

    /// What is said about the scenario with this file beside it.
    fn complaint(arrivals: &str) -> String {
        let mut source = Source::new("some/recorded.ron", SCENARIO);
        source.attach("arrivals.csv", arrivals);
        let problems = load(&source).err().unwrap_or_default();
        render(&problems, Some(&source), false)
    }

    #[test]
    fn a_bad_row_is_told_with_file_line_and_column_where_the_file_is_named() {
        let cases = [
            ("", "arrivals.csv:1:1: the file is empty"),
            ("time\n", "arrivals.csv:1:1: no request comes after the header"),
            ("key\n1\n", "arrivals.csv:1:1: there is no column `time`"),
            ("time,kye\n1,2\n", "arrivals.csv:1:6: no column is called `kye`"),
            ("time,time\n1,2\n", "arrivals.csv:1:6: the column `time` occurs twice"),
            ("time, key\n1ms, 7\n2 parsecs, 3\n", "arrivals.csv:3:1: \"2 parsecs\" is not a time"),
            ("time, key\n1ms, 7\n2ms,  x7\n", "arrivals.csv:3:7: `x7` is not a whole number"),
            ("# from the log\n\ntime,key\n1ms\n", "arrivals.csv:4:4: the `key` is missing"),
            ("time\n1ms,7\n", "arrivals.csv:2:5: the header has only 1 columns"),
            ("time\n2ms\n1ms\n", "arrivals.csv:3:1: 1 ms is before 2 ms"),
            ("time,payload\n1ms,9PB\n", "arrivals.csv:2:5: \"9PB\" is not a size"),
            ("time,payload\n1ms,5GiB\n", "arrivals.csv:2:5: 5 GiB is above 4 GiB"),
            ("time,class\n1ms,\n", "arrivals.csv:2:5: a class cannot be empty"),
        ];
        for (arrivals, says) in cases {
            let complaint = complaint(arrivals);
            assert!(complaint.contains(says), "{arrivals:?}:\n{complaint}");
            assert!(complaint.contains("recorded.ron:8:"), "{complaint}");
        }
    }

    #[test]
    fn a_class_that_the_client_does_not_have_is_refused() {
        let fine = "time,class\n0.5,a\n1,a\n";
        assert_eq!(complaint(fine).matches("error").count(), 0, "{}", complaint(fine));
        let complaint = complaint("time,class\n0.5,a\n1,c\n");
        assert!(complaint.contains("names the class `c`, which it does not have"), "{complaint}");
    }

    #[test]
    fn a_file_that_is_not_there_is_told_with_its_path() {
        let problems =
            load(&Source::new("some/recorded.ron", SCENARIO)).expect_err("there is none");
        let complaint = render(&problems, Some(&Source::new("some/recorded.ron", SCENARIO)), false);
        assert!(complaint.contains("arrivals.csv` cannot be read"), "{complaint}");
    }
}

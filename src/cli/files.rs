//! Writing reports: whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Writes a file under a temporary name beside its place and then renames it, so that nobody ever
/// finds half of it.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("report");
    let beside = path.with_file_name(format!(".{name}.{}.partial", own_number()));
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        // What could not be finished is not left lying about.
        let _ = fs::remove_file(&beside);
    }
    done
}

/// Tells the files of two processes apart that report on one scenario at the same time.
#[expect(clippy::disallowed_methods, reason = "it names a temporary file and comes into no report")]
fn own_number() -> u32 {
    std::process::id()
}

//! Writing reports: whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Makes a folder, and those that it is in.
///
/// # Errors
/// Which of them could not be made, and why.
pub fn make_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| {
        // The outermost that is not there is the one that stood in the way of the others.
        let ways = path.ancestors().filter(|way| !way.as_os_str().is_empty());
        let missing = ways.take_while(|way| !way.is_dir()).last().unwrap_or(path);
        match missing.exists() {
            true => format!("`{}` is there and is no folder", missing.display()),
            false => format!("the folder `{}` cannot be made: {error}", missing.display()),
        }
    })
}

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

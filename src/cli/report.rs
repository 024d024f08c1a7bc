//! stub
use std::path::{Path, PathBuf};

use super::Failure;
use crate::workspace::Workspace;

pub(super) fn write(_directory: &Path, _formats: Option<u8>, _workspace: &Workspace) -> Result<Vec<PathBuf>, Failure> {
    Ok(Vec::new())
}

//! What fuzz targets assert of more than one kernel entry.

pub mod batch;
pub mod normalizers;
pub mod pieces;
pub mod spans;

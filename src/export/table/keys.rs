//! The keys of a table, batch by batch, without its other columns.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::{Schema, SchemaRef};

use super::log::{Log, Version};
use crate::error::Result;
use crate::export::parquet::Reader;
use crate::model::arrow::table_schema;

/// Shows the keys of every row that readers of a version see.
///
/// # Errors
/// `Config` or `Transient`: a file cannot be read.
pub(super) fn keys_of(log: &Log, version: &Version, mut show: impl FnMut(&[i64])) -> Result<()> {
    let whole = table_schema(log.stream);
    let only = whole.field(log.stream.key_index()).clone();
    let schema = SchemaRef::new(Schema::new(vec![only]));
    let mut there = Vec::new();
    for file in &version.files {
        let reader = Reader::open(&log.store, &file.path, file.bytes)?;
        let mut first = 0;
        for group in 0..reader.metadata().num_row_groups() {
            let mut rows = reader.read(group, &schema)?;
            while let Some(batch) = rows.next_batch()? {
                let keys = batch.column(0).as_primitive::<Int64Type>().values();
                there.clear();
                let rows = keys.iter().enumerate().filter(|(row, _)| file.is_there(first + row));
                there.extend(rows.map(|(_, key)| *key));
                show(&there);
                first += batch.num_rows();
            }
        }
    }
    Ok(())
}

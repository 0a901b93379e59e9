//! The columns of a table: what this version of the product has, against what the table has.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::Schema;
use delta_kernel::KernelError;
use delta_kernel::engine::arrow_conversion::TryFromArrow;
use delta_kernel::schema::{SchemaRef, StructField, StructType};

use crate::error::{Error, Result};
use crate::export::mode::TableMode;
use crate::model::Stream;
use crate::model::arrow::{column_documentation, company_field};

/// The member of a column's metadata that Spark, Databricks and Trino show as its comment.
const COMMENT: &str = "comment";

/// The schema of a new table, without the columns that are left out; that of many companies has theirs first. Each
/// column has its documentation as a comment.
pub(super) fn schema(
    mode: TableMode,
    stream: &Stream,
    left_out: &[String],
    is_shared: bool,
) -> Result<SchemaRef, KernelError> {
    let schema = mode.schema(stream);
    let fields = schema.fields().iter().filter(|field| !left_out.contains(field.name()));
    let company = is_shared.then(|| Arc::new(company_field()));
    let fields = company.into_iter().chain(fields.cloned()).map(|field| {
        let comment = column_documentation(stream, field.name()).unwrap_or_default();
        let metadata = HashMap::from([(COMMENT.to_owned(), comment.to_owned())]);
        field.as_ref().clone().with_metadata(metadata)
    });
    Ok(Arc::new(StructType::try_from_arrow(&Schema::new(fields.collect::<Vec<_>>()))?))
}

/// The columns that the product has learnt since the table was made.
pub(super) fn missing(
    table: &StructType,
    mode: TableMode,
    stream: &Stream,
    left_out: &[String],
) -> Result<Vec<StructField>, KernelError> {
    let own = schema(mode, stream, left_out, false)?;
    Ok(own.fields().filter(|field| table.field(field.name()).is_none()).cloned().collect())
}

/// Whether the product can write a table with these columns, that of one company or of many.
///
/// # Errors
/// `Config`: a column is of another type, cannot be added, or is not known.
pub(super) fn check(
    table: &StructType,
    mode: TableMode,
    stream: &Stream,
    is_shared: bool,
    place: &str,
) -> Result<()> {
    let own = schema(mode, stream, &[], is_shared)
        .map_err(|error| Error::bug("The columns have no form in a table").caused_by(error))?;
    for field in own.fields() {
        match table.field(field.name()) {
            None if field.is_nullable() => {}
            Some(there) if there.data_type() == field.data_type() => {}
            _ => {
                return Err(Error::config(format!(
                    "The table at {place} has no column `{}` of the type that this program writes. Export to another place.",
                    field.name()
                )));
            }
        }
    }
    let unknown = table.fields().find(|field| own.field(field.name()).is_none());
    match unknown {
        None => Ok(()),
        Some(field) => Err(Error::config(format!(
            "The table at {place} has a column `{}` that this version of the program does not know. Upgrade the program, or export to another place.",
            field.name()
        ))),
    }
}

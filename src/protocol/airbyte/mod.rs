//! The Airbyte protocol: `airbyte_protocol.yaml`, version 0.3.2 of its schema.

pub mod catalog;
pub mod message;
pub mod state;

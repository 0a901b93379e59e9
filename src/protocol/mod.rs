//! What hosts speak: the types of their messages and files. Nothing here reads or writes anything.

pub mod airbyte;
pub mod singer;

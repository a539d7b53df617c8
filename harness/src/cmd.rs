//! One file per verb: parse, do, print.

pub(crate) mod compare;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod fetch;
pub(crate) mod gate;
pub(crate) mod list;
pub(crate) mod merge;
pub(crate) mod reproduce;
pub(crate) mod run;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod table;

//! The settings as the Python module has them: a keyword each.

use std::fmt::Write;

use crate::config::settings::{Accepts, SETTINGS, Setting};

/// The file `_settings.py` of the module.
pub(super) fn settings() -> String {
    let mut text = String::from(
        "\"\"\"The settings as keywords. Generated: kometsales generate python\"\"\"\n\n\
         from __future__ import annotations\n\n\
         from typing import TYPE_CHECKING, TypedDict\n\n\
         if TYPE_CHECKING:\n    from collections.abc import Sequence\n    from datetime import date, tzinfo\n\n\n\
         class Settings(TypedDict, total=False):\n    \"\"\"Settings that a call takes as keywords. None is an absent value.\"\"\"\n",
    );
    for setting in SETTINGS {
        let documentation = setting.description.replace('\\', "\\\\");
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n    {}: {} | None\n    \"\"\"{documentation}\"\"\"\n",
            setting.key,
            annotation(setting)
        );
    }
    text
}

fn annotation(setting: &Setting) -> &'static str {
    match setting.accepts {
        Accepts::Secret { .. } | Accepts::Text { .. } | Accepts::Url { .. } => "str",
        Accepts::Fields { .. } => "str | Sequence[str]",
        Accepts::Digits { .. } => "int | str",
        Accepts::Integer { .. } => "int",
        Accepts::Boolean { .. } => "bool",
        Accepts::Date => "date | str",
        Accepts::Zone => "tzinfo | str",
    }
}

//! The state that Airbyte gives back: it is refused, or what was understood of it is understood again when it is written.

use kometsales::airbyte::state::Given;
use kometsales::error::{Error, Kind};
use kometsales::model::Zone;
use kometsales::state::State;
use kometsales::streams::customers::CUSTOMERS;

use super::refused;

/// Checks bytes as a state of Airbyte.
pub fn check(bytes: &[u8]) -> String {
    let outcomes = [Zone::UTC, Zone::named("America/New_York").unwrap()].map(|zone| {
        let given = Given::parse(bytes, "the test");
        let warning = given.as_ref().ok().map(|given| given.check(&[&CUSTOMERS]));
        match given.and_then(|given| given.of(&CUSTOMERS, zone)) {
            Err(error) => refused(&error, &[Kind::Config]),
            Ok(None) => match warning {
                Some(Err(error)) => refused(&error, &[Kind::Config]),
                warning => format!(
                    "nothing {:?}",
                    warning.map(|warning| warning.is_ok_and(|w| w.is_some()))
                ),
            },
            Ok(Some(state)) => {
                written_again(&state, zone);
                kind_of(&state)
            }
        }
    });
    outcomes.join(" ")
}

/// Which parts a state has.
pub(crate) fn kind_of(state: &State) -> String {
    let list = state.list.map(|list| list.count.is_some());
    format!("cursor {} scope {} list {list:?}", state.cursor.is_some(), state.scope.is_some())
}

fn written_again(state: &State, zone: Zone) {
    let json = state.to_json(&CUSTOMERS);
    let again = State::from_json(&json, &CUSTOMERS, zone).unwrap();
    assert_eq!(again.as_ref(), Some(state));
    let message = format!(
        r#"[{{"type":"STREAM","stream":{{"stream_descriptor":{{"name":"customers"}},"stream_state":{json}}}}}]"#
    );
    let again = Given::parse(message.as_bytes(), "the test").unwrap();
    assert!(again.check(&[&CUSTOMERS]).is_ok_and(|warning: Option<String>| warning.is_none()));
    let again: Result<_, Error> = again.of(&CUSTOMERS, Zone::UTC);
    assert_eq!(again.unwrap().as_ref(), Some(state));
}

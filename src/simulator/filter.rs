//! The filters of `customer.list`, read from a query string and applied to a customer.

use chrono::NaiveDate;

use super::customer::Customer;

/// Which customers were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    id: Option<u64>,
    /// In lower case.
    name: Option<String>,
    code: Option<String>,
    sales_person_id: Option<u64>,
    location_id: Option<u64>,
    include_inactive: bool,
    /// The midnight, UTC, that begins the day: seconds since 1970.
    update_as_of: Option<i64>,
}

impl Filter {
    /// Every customer, deactivated ones too.
    pub(super) fn everything() -> Self {
        Self { include_inactive: true, ..Self::default() }
    }

    /// Reads the filters from decoded query pairs. Empty and unknown parameters are ignored, as
    /// the API does: a misspelt `updatedAsOf` filters nothing. An invalid value gives the
    /// parameter's name.
    pub(super) fn parse(query: &[(String, String)]) -> Result<Self, String> {
        let mut filter = Self::default();
        for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            let invalid = || name.clone();
            let number = || value.parse().map(Some).map_err(|_| invalid());
            match name.as_str() {
                "id" => filter.id = number()?,
                "salesPersonId" => filter.sales_person_id = number()?,
                "locationId" => filter.location_id = number()?,
                "name" => filter.name = Some(value.to_lowercase()),
                "code" => filter.code = Some(value.clone()),
                "includeInactive" => {
                    filter.include_inactive = boolean(value).ok_or_else(invalid)?
                }
                "updateAsOf" => filter.update_as_of = Some(midnight(value).ok_or_else(invalid)?),
                _ => {}
            }
        }
        Ok(filter)
    }

    /// The same filter from a server that overlooks `updateAsOf`.
    pub(super) fn whenever_updated(self) -> Self {
        Self { update_as_of: None, ..self }
    }

    pub(super) fn accepts(&self, customer: &Customer) -> bool {
        let sales_person_id = customer.sales_person.map(|(id, _)| u64::from(id));
        (self.include_inactive || customer.active)
            && self.update_as_of.is_none_or(|midnight| customer.updated_on >= midnight)
            && self.id.is_none_or(|id| customer.id == id)
            && (self.sales_person_id.is_none() || self.sales_person_id == sales_person_id)
            && self.location_id.is_none_or(|location| customer.is_at(location))
            && self.code.as_ref().is_none_or(|code| customer.code.eq_ignore_ascii_case(code))
            && self.name.as_ref().is_none_or(|part| customer.name.to_lowercase().contains(part))
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn midnight(day: &str) -> Option<i64> {
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    Some(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp())
}

//! Replies that tests make up.

use kometsales::simulator::Reply;
use serde_json::{Value, json};

/// The sample on the page of `customer.list`.
pub(crate) const SAMPLE: &str = r#"{"status": "1", "message": "OK", "customers": [
  {"id": "25475", "accountingCode": "ACC10", "customerType": "PART-TIME FLORIST", "salesPerson": "Julian Mejía",
   "name": "2-14 BRIDAL CAKES", "salesPersonId": 1819, "active": "1", "code": "T3526", "updatedOn": "2017-08-02T12:15:17"},
  {"id": "29775", "customerType": "", "name": "Flores SAS", "active": "1", "code": "ASS", "updatedOn": "2017-09-15T17:02:50"}]}"#;

/// A reply that says success and lists these elements, written as JSON.
pub(crate) fn list(elements: &[&str]) -> Reply {
    Reply::json(format!(r#"{{"status":"1","message":"OK","customers":[{}]}}"#, elements.join(",")))
}

/// A reply of customers who have an id, from 1 on, and this `updatedOn`.
pub(crate) fn updated(times: &[&str]) -> Reply {
    let customers: Vec<Value> = (1..)
        .zip(times)
        .map(|(id, time)| json!({"id": format!("{id}"), "updatedOn": time}))
        .collect();
    Reply::json(json!({"status": "1", "message": "OK", "customers": customers}).to_string())
}

/// A reply that says this of itself and lists nothing.
pub(crate) fn said(status: &str, message: &str) -> Reply {
    Reply::json(json!({"status": status, "message": message}).to_string())
}

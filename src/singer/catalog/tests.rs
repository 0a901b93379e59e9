use super::*;
use crate::streams::ALL;

fn catalog(change: impl FnOnce(&mut Value)) -> Catalog {
    let mut catalog = discovered(ALL, &Privacy::default());
    change(&mut catalog["streams"][0]);
    Catalog::parse(catalog.to_string().as_bytes(), "catalog.json").unwrap()
}

fn wanted(change: impl FnOnce(&mut Value)) -> Option<Wanted> {
    catalog(change).wanted(ALL, &Privacy::default()).unwrap().0.pop()
}

fn names(wanted: &Wanted) -> Vec<&str> {
    wanted.selection.fields.iter().map(|&index| ALL[0].fields[index].name).collect()
}

/// The metadata of a field, or of the stream.
fn metadata<'a>(stream: &'a mut Value, name: Option<&str>) -> &'a mut Value {
    let breadcrumb = name.map_or(json!([]), |name| json!(["properties", name]));
    let entries = stream["metadata"].as_array_mut().unwrap();
    &mut entries.iter_mut().find(|entry| entry["breadcrumb"] == breadcrumb).unwrap()["metadata"]
}

#[test]
fn what_is_discovered_selects_everything() {
    let wanted = wanted(|_| {}).unwrap();
    assert_eq!(wanted.selection, Selection::all(ALL[0]));
    assert_eq!(wanted.schema, Privacy::default().json_schema(ALL[0]));
    assert_eq!(wanted.mode, Mode::Incremental);
}

#[test]
fn a_deselected_field_is_gone_from_properties_and_required() {
    let wanted = wanted(|stream| {
        metadata(stream, Some("name"))["selected"] = json!(false);
        metadata(stream, Some("_extra"))["selected"] = json!(false);
        stream["schema"]["required"] = json!(["id", "name"]);
    })
    .unwrap();
    assert!(!names(&wanted).contains(&"name") && !wanted.selection.extra);
    assert!(wanted.schema["properties"].get("name").is_none());
    assert_eq!(wanted.schema["required"], json!(["id"]));
}

#[test]
fn automatic_fields_stay_when_deselected() {
    let wanted = wanted(|stream| {
        for field in stream["metadata"].as_array_mut().unwrap() {
            let is_root = field["breadcrumb"] == json!([]);
            field["metadata"]["selected"] = json!(is_root);
        }
    })
    .unwrap();
    assert_eq!(names(&wanted), ["id", "updatedOn"]);
    assert_eq!(wanted.schema["properties"].as_object().unwrap().len(), 2);
}

#[test]
fn selection_goes_by_selected_then_default_then_the_stream() {
    let wanted = wanted(|stream| {
        metadata(stream, Some("name"))["selected-by-default"] = json!(false);
        metadata(stream, Some("code"))["selected-by-default"] = json!(false);
        metadata(stream, Some("code"))["selected"] = json!(true);
        metadata(stream, Some("active"))["inclusion"] = json!("unsupported");
        *metadata(stream, Some("customerType")) = json!({});
    })
    .unwrap();
    let names = names(&wanted);
    assert!(!names.contains(&"name") && names.contains(&"code"));
    assert!(!names.contains(&"active") && names.contains(&"customerType"));
}

#[test]
fn a_stream_that_is_not_selected_or_missing_is_warned_of() {
    let unselected = catalog(|stream| metadata(stream, None)["selected"] = json!(false));
    let (wanted, warnings) = unselected.wanted(ALL, &Privacy::default()).unwrap();
    assert!(wanted.is_empty() && warnings[0].contains("not selected"), "{warnings:?}");
    let renamed = catalog(|stream| stream["tap_stream_id"] = json!("orders"));
    let (wanted, warnings) = renamed.wanted(ALL, &Privacy::default()).unwrap();
    assert!(wanted.is_empty() && warnings.len() == 2, "{warnings:?}");
}

#[test]
fn the_supplied_schema_is_the_one_that_is_sent() {
    let schema = wanted(|stream| {
        stream["schema"]["properties"]["name"]["maxLength"] = json!(200);
        stream["schema"]["properties"].as_object_mut().unwrap().remove("updatedOn");
        stream["schema"]["properties"].as_object_mut().unwrap().remove("code");
    })
    .unwrap();
    assert_eq!(schema.schema["properties"]["name"]["maxLength"], json!(200));
    assert!(schema.schema["properties"].get("updatedOn").is_some());
    assert!(!names(&schema).contains(&"code"));
}

#[test]
fn the_replication_method_is_read_at_both_places() {
    let mode = |change: &dyn Fn(&mut Value)| wanted(|stream| change(stream)).unwrap().mode;
    assert_eq!(
        mode(&|stream| stream["replication_method"] = json!("FULL_TABLE")),
        Mode::FullRefresh
    );
    assert_eq!(
        mode(&|stream| metadata(stream, None)["replication-method"] = json!("FULL_TABLE")),
        Mode::FullRefresh
    );
    let other = catalog(|stream| stream["replication_method"] = json!("LOG_BASED"));
    assert!(other.wanted(ALL, &Privacy::default()).unwrap_err().to_string().contains("LOG_BASED"));
}

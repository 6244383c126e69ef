//! Golden templates: what a definition becomes, as people read it.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use mkys_blade::{Blade, Definition, Generations, Settings};

fn blade(text: &str) -> Blade {
    let definition: Definition = serde_saphyr::from_str(text).unwrap();
    definition.validate().unwrap()
}

fn settings() -> Settings {
    Settings {
        users_edge: vec!["198.51.100.3/32".parse().unwrap()],
        devops_edge: vec!["198.51.100.131/32".parse().unwrap()],
        probe_source: None,
    }
}

#[test]
fn templates() {
    insta::glob!("definitions/*.yaml", |path| {
        let blade = blade(&std::fs::read_to_string(path).unwrap());
        let compiled = blade.compile(&settings(), &Generations::new());
        insta::assert_snapshot!(compiled.template.to_yaml().unwrap());
    });
}

#[test]
fn every_string_survives_a_reader_of_yaml() {
    let blade = blade(include_str!("definitions/cloud-config.yaml"));
    let compiled = blade.compile(&settings(), &Generations::new());
    let text = compiled.template.to_yaml().unwrap();
    let again: mkys_blade::Template = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(again, compiled.template);
}

#[test]
fn user_data_stands_in_no_template() {
    let blade = blade(include_str!("definitions/automathon.yaml"));
    let compiled = blade.compile(&settings(), &Generations::new());
    assert!(
        !compiled
            .template
            .to_yaml()
            .unwrap()
            .contains("stays as it is written")
    );
    assert!(
        compiled
            .secrets
            .values()
            .any(|value| value.contains("stays as it is written"))
    );
}

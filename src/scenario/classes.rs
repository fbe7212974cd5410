//! The request classes of a variant: gathered from its nodes, and the same wherever they are named.

use super::Variant;
use super::diagnose::Problem;
use super::verify::Places;
use crate::patterns::Spec;
use crate::world::ClassInfo;

/// A class is a number of eight bits, and 0 is that of requests without one.
const CLASSES_MAX: usize = 255;

/// Every class that these nodes give to requests, in the order of the nodes.
pub(super) fn table(nodes: &[Option<Spec>]) -> Vec<ClassInfo> {
    let mut classes: Vec<ClassInfo> = Vec::new();
    for class in nodes.iter().flatten().flat_map(Spec::classes) {
        if classes.iter().all(|known| known.name != class.name) {
            classes.push(class);
        }
    }
    classes
}

/// Too many classes, or one that is two things.
pub(super) fn problem(variant: &Variant, places: Places<'_>) -> Option<Problem> {
    let Places { spans, lexicon, nodes, .. } = places;
    for (node, spec) in nodes.iter().zip(&variant.nodes) {
        let place = spans.get(&format!("nodes.{node}.classes"));
        let place =
            || place.or_else(|| spans.get("nodes")).map_or_else(|| Problem::new(""), Problem::at);
        for class in spec.iter().flat_map(Spec::classes) {
            let known = variant.classes.iter().find(|known| known.name == class.name)?;
            if *known != class {
                let name = lexicon.spelling(class.name);
                let title = format!("the class `{name}` has two priorities or tenants");
                let label = "elsewhere it has another";
                let help = "a class is the same with every client; give one of them another name";
                return Some(place().title(title).label(label).help(help));
            }
        }
        if variant.classes.len() > CLASSES_MAX {
            let title = format!("{} classes of requests are too many", variant.classes.len());
            return Some(place().title(title).label(format!("at most {CLASSES_MAX}")));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::diagnose::render;
    use super::super::load;
    use super::super::source::Source;

    fn read(one: &str, other: &str) -> Result<Vec<u8>, String> {
        let text = format!(
            "Scenario(
    title: \"Classes\",
    run: (load: \"10s\"),
    nodes: {{
        \"a\": Client(target: \"s\", operation: \"go\", load: Poisson(rate: \"1/s\"), classes: [{one}]),
        \"b\": Client(target: \"s\", operation: \"go\", load: Poisson(rate: \"1/s\"), classes: [{other}]),
        \"s\": Service(operations: {{\"go\": ()}}),
    }},
)"
        );
        let source = Source::new("classes.ron", text);
        let scenario = load(&source).map_err(|problems| render(&problems, Some(&source), false))?;
        Ok(scenario.variants[0].classes.iter().map(|class| class.priority).collect())
    }

    #[test]
    fn a_class_that_two_clients_have_is_one() {
        let classes = read(
            "(name: \"x\", priority: 3), (name: \"y\")",
            "(name: \"z\", priority: 9), (name: \"x\", priority: 3)",
        );
        assert_eq!(classes, Ok(vec![3, 0, 9]));
    }

    #[test]
    fn a_class_has_one_priority_and_one_tenant() {
        let complaint = read("(name: \"x\", priority: 3)", "(name: \"x\")").unwrap_err();
        assert!(complaint.contains("`x` has two priorities or tenants"), "{complaint}");
        assert!(complaint.contains("classes.ron:6:"), "{complaint}");
        let tenants = read("(name: \"x\", tenant: \"t\")", "(name: \"x\", tenant: \"u\")");
        assert!(tenants.unwrap_err().contains("tenants"));
    }

    #[test]
    fn a_weight_is_that_of_a_tenant_that_there_is() {
        let read = |weights: &str| {
            let text = format!(
                "Scenario(
    title: \"Tenants\",
    run: (load: \"10s\"),
    nodes: {{
        \"a\": Client(target: \"s\", operation: \"go\", load: Poisson(rate: \"1/s\"),
            classes: [(name: \"x\", tenant: \"acme\")]),
        \"s\": Service(
            machine: (workers: 1, discipline: FairQueueing, weights: {weights}),
            operations: {{\"go\": ()}},
        ),
    }},
)"
            );
            let source = Source::new("tenants.ron", text);
            load(&source).err().map(|problems| render(&problems, Some(&source), false))
        };
        assert_eq!(read("{\"acme\": 3}"), None);
        let complaint = read("{\"acne\": 3}").expect("nobody is called that");
        assert!(complaint.contains("no class of requests has a tenant `acne`"), "{complaint}");
        assert!(complaint.contains("did you mean `acme`?"), "{complaint}");
        assert!(complaint.contains("tenants.ron:8:"), "{complaint}");
        assert!(read("{\"acme\": 0}").is_some_and(|text| text.contains("from 1 to 1,000")));
        assert!(read("{\"acme\": 1001}").is_some());
    }

    #[test]
    fn there_are_at_most_255_classes() {
        let classes = |from: u32, to: u32| -> String {
            (from..to).map(|n| format!("(name: \"c{n}\"),")).collect()
        };
        assert_eq!(read(&classes(0, 200), &classes(200, 255)).map(|all| all.len()), Ok(255));
        let complaint = read(&classes(0, 200), &classes(200, 256)).unwrap_err();
        assert!(complaint.contains("256 classes of requests are too many"), "{complaint}");
    }
}

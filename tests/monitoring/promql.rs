//! PromQL, as far as it names metrics and labels.

/// A metric that an expression looks at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) metric: String,
    pub(super) matchers: Vec<Matcher>,
}

/// `label="value"`, or with another operator.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) value: String,
}

/// Every metric of ours in an expression.
pub(super) fn selectors(expression: &str) -> Vec<Selector> {
    let starts = expression
        .match_indices("drivebay_")
        .map(|(start, _)| start);
    starts.map(|start| selector(&expression[start..])).collect()
}

fn selector(text: &str) -> Selector {
    let end = text.find(|c: char| !is_of_name(c)).unwrap_or(text.len());
    let (metric, rest) = text.split_at(end);
    let braces = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    Selector {
        metric: metric.to_owned(),
        matchers: braces.map_or_else(Vec::new, |(inside, _)| matchers(inside)),
    }
}

/// Labels and quoted values take turns.
fn matchers(inside: &str) -> Vec<Matcher> {
    let parts: Vec<&str> = inside.split('"').collect();
    let pairs = parts.chunks_exact(2);
    let of_name = |c: &char| is_of_name(*c);
    pairs
        .map(|pair| Matcher {
            label: pair[0].chars().filter(of_name).collect(),
            value: pair[1].to_owned(),
        })
        .collect()
}

/// The labels that it groups or joins by.
pub(super) fn grouped_by(expression: &str) -> Vec<String> {
    let lists = ["by (", "without (", "on ("]
        .into_iter()
        .flat_map(|word| expression.split(word).skip(1));
    lists
        .filter_map(|rest| rest.split_once(')'))
        .flat_map(|(list, _)| list.split(','))
        .map(|label| label.trim().to_owned())
        .collect()
}

/// The labels that a template takes: `{{ $labels.driver }}` of an alert, `{{driver}}` of a legend.
pub(super) fn taken(template: &str) -> Vec<String> {
    let inside = template.split("{{").skip(1);
    inside
        .filter_map(|rest| rest.split_once("}}"))
        .map(|(name, _)| name.trim().trim_start_matches("$labels.").to_owned())
        .filter(|name| name != "$value")
        .collect()
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[test]
fn metrics_and_labels_are_found_in_an_expression() {
    let expression = "sum by (le, driver) (rate(drivebay_a_bucket{driver=~\"$driver\", code!~\"OK|No\"}[5m])) / \
                      drivebay_b > on (driver) 1";
    let matcher = |label: &str, value: &str| Matcher {
        label: label.to_owned(),
        value: value.to_owned(),
    };
    let expected = [
        Selector {
            metric: "drivebay_a_bucket".to_owned(),
            matchers: vec![matcher("driver", "$driver"), matcher("code", "OK|No")],
        },
        Selector {
            metric: "drivebay_b".to_owned(),
            matchers: Vec::new(),
        },
    ];
    assert_eq!(selectors(expression), expected);
    assert_eq!(grouped_by(expression), ["le", "driver", "driver"]);
    assert_eq!(
        taken("{{ $labels.driver }} and {{code}}, {{ $value }} times"),
        ["driver", "code"]
    );
}

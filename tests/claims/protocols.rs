//! Protocols and scenarios, small enough to be run many times.

use crate::Claimed;

/// One estimator in one world.
pub struct Case {
    pub estimator: &'static str,
    /// The kind of the endpoint, and its further keys.
    endpoint: &'static str,
    pub scenario: &'static str,
    pub design: &'static str,
    method: &'static str,
    pub coverage: Claimed,
    pub error: Claimed,
    size: u32,
    pub quick: u32,
}

const BLOCKS: &str = "method = 'permuted_blocks'\nblock_sizes = [4, 6]";
const SIMPLE: &str = "method = 'simple'";
const MINIMIZED: &str = "method = 'minimization'\nprobability = [4, 5]";

const BINARY: &str = "kind = 'binary'";
const NUMBER: &str = "kind = 'continuous'";
const COUNT: &str = "kind = 'count'";
const TIME: &str = "kind = 'time_to_event', horizon_weeks = 26, better = 'lower'";

const GROUPS_OF_SHARES: &str = "effect = 0.1\nper_week = 50\n\
    [[groups]]\nlevels = { group = 'a' }\nshare = 0.6\ncontrol = 0.45\n\
    [[groups]]\nlevels = { group = 'b' }\nshare = 0.4\ncontrol = 0.25\n";
/// One share everywhere, of looks.
pub const PLAIN_SHARES: &str = "effect = 0.12\nper_week = 50\nreporting_delay_weeks = 2\n\
    [[groups]]\nlevels = { group = 'a' }\nshare = 0.6\ncontrol = 0.40\n\
    [[groups]]\nlevels = { group = 'b' }\nshare = 0.4\ncontrol = 0.40\n";
/// An effect that a trial of 900 misses as often as not.
pub const SMALLER_SHARES: &str = "effect = 0.065\nper_week = 50\nreporting_delay_weeks = 2\n\
    [[groups]]\nlevels = { group = 'a' }\nshare = 0.6\ncontrol = 0.40\n\
    [[groups]]\nlevels = { group = 'b' }\nshare = 0.4\ncontrol = 0.40\n";
const COMPLIANCE: &str = "effect = 0.3\nper_week = 50\nno_show = 0.3\n\
    [[groups]]\nlevels = { group = 'a' }\nshare = 0.6\ncontrol = 0.40\n\
    [[groups]]\nlevels = { group = 'b' }\nshare = 0.4\ncontrol = 0.30\n";
const RARE: &str = "effect = 0.02\nper_week = 50\n\
    [[groups]]\nlevels = { group = 'a' }\nshare = 0.6\ncontrol = 0.04\n\
    [[groups]]\nlevels = { group = 'b' }\nshare = 0.4\ncontrol = 0.04\n";
pub const MEANS: &str = "effect = 2.0\nper_week = 50\nstandard_deviation = 8\n\
    [[groups]]\nlevels = { group = 'a' }\nshare = 0.6\ncontrol = 30\n\
    [[groups]]\nlevels = { group = 'b' }\nshare = 0.4\ncontrol = 20\n";
const COUNTS: &str = "effect = 1.3\nper_week = 50\ndispersion = 0.6\n\
    [[groups]]\nlevels = { group = 'a' }\nshare = 0.6\ncontrol = 1.5\n\
    [[groups]]\nlevels = { group = 'b' }\nshare = 0.4\ncontrol = 1.5\n";
const TIMES: &str = "effect = 1.4\nper_week = 50\ndrop_out = 0.1\n\
    [[groups]]\nlevels = { group = 'a' }\nshare = 0.6\ncontrol = 0.6\n\
    [[groups]]\nlevels = { group = 'b' }\nshare = 0.4\ncontrol = 0.6\n";

/// Exactly 0.95 and 0.05, but for what a finite sample leaves: half a percent.
const COVERS: Claimed = Claimed::Near(0.95, 0.005);
const ERRS: Claimed = Claimed::Near(0.05, 0.005);

const fn case(estimator: &'static str, endpoint: &'static str, scenario: &'static str) -> Case {
    Case {
        estimator,
        endpoint,
        scenario,
        design: "blocks in 2 strata, n = 300",
        method: BLOCKS,
        coverage: COVERS,
        error: ERRS,
        size: 300,
        quick: 300,
    }
}

impl Case {
    const fn drawn(self, method: &'static str, design: &'static str) -> Self {
        Self {
            method,
            design,
            ..self
        }
    }

    const fn claiming(self, coverage: Claimed, error: Claimed) -> Self {
        Self {
            coverage,
            error,
            ..self
        }
    }

    pub fn protocol(&self) -> String {
        format!(
            "id = 'claims'\ntitle = 'claims'\n\
             arms = [{{id = 'a', ratio = 1, control = true}}, {{id = 'b', ratio = 1}}]\n\
             factors = [{{id = 'group', levels = ['a', 'b'], stratify = true}}]\n\
             endpoints = [{{id = 'y', from = 'reported', {}, estimators = ['{}']}}]\n\
             [randomization]\n{}\n\
             [analysis]\nprimary = 'y'\nalpha = 0.05\nsides = 2\n\
             [sample_size]\nplanned = {}\n",
            self.endpoint, self.estimator, self.method, self.size
        )
    }
}

/// Every interval and every test that a scenario can be made for.
pub fn cases() -> Vec<Case> {
    // Draws that balance what the outcome hangs on make an unstratified analysis cautious.
    let cautious = (Claimed::AtLeast(0.95), Claimed::AtMost(0.05));
    let exact = (Claimed::AtLeast(0.95), Claimed::AtMost(0.05));
    let simple = "drawn one by one, n = 300";
    let mut cases = vec![
        case(
            "risk_difference_miettinen_nurminen",
            BINARY,
            GROUPS_OF_SHARES,
        )
        .claiming(cautious.0, cautious.1),
        case(
            "risk_difference_miettinen_nurminen",
            BINARY,
            GROUPS_OF_SHARES,
        )
        .drawn(SIMPLE, simple),
        case("risk_difference_miettinen_nurminen", BINARY, RARE)
            .drawn(SIMPLE, "drawn one by one, 4 in 100 have the event"),
        case("risk_difference_newcombe", BINARY, GROUPS_OF_SHARES).drawn(SIMPLE, simple),
        case("risk_difference_wald", BINARY, GROUPS_OF_SHARES).drawn(SIMPLE, simple),
        case("risk_difference_agresti_caffo", BINARY, GROUPS_OF_SHARES).drawn(SIMPLE, simple),
        case("risk_ratio_katz", BINARY, GROUPS_OF_SHARES).drawn(SIMPLE, simple),
        case("risk_ratio_miettinen_nurminen", BINARY, GROUPS_OF_SHARES).drawn(SIMPLE, simple),
        case("odds_ratio_woolf", BINARY, GROUPS_OF_SHARES).drawn(SIMPLE, simple),
        case("odds_ratio_miettinen_nurminen", BINARY, GROUPS_OF_SHARES).drawn(SIMPLE, simple),
        case("fisher_exact", BINARY, GROUPS_OF_SHARES)
            .drawn(SIMPLE, simple)
            .claiming(exact.0, exact.1),
        case("mantel_haenszel_risk_difference", BINARY, GROUPS_OF_SHARES),
        case("mantel_haenszel_risk_ratio", BINARY, PLAIN_SHARES),
        case("mantel_haenszel_odds_ratio", BINARY, PLAIN_SHARES),
        case(
            "risk_difference_miettinen_nurminen_stratified",
            BINARY,
            GROUPS_OF_SHARES,
        ),
        case("cochran_mantel_haenszel", BINARY, GROUPS_OF_SHARES),
        case("standardized_risk_difference", BINARY, GROUPS_OF_SHARES),
        case("standardized_risk_difference", BINARY, GROUPS_OF_SHARES)
            .drawn(MINIMIZED, "minimized, n = 300"),
        case("complier_average_effect", BINARY, COMPLIANCE).drawn(SIMPLE, "3 in 10 do not show"),
        case("difference_in_means_welch", NUMBER, MEANS).claiming(cautious.0, cautious.1),
        case("difference_in_means_welch", NUMBER, MEANS).drawn(SIMPLE, simple),
        case("blocked_difference_in_means", NUMBER, MEANS),
        case("ancova", NUMBER, MEANS),
        case("ancova:hc3", NUMBER, MEANS),
        case("lin", NUMBER, MEANS),
        case("lin", NUMBER, MEANS).drawn(MINIMIZED, "minimized, n = 300"),
        case("rate_ratio_lwyy", COUNT, COUNTS),
        case("rate_ratio_negative_binomial", COUNT, COUNTS),
        case("log_rank", TIME, TIMES),
        case("log_rank_stratified", TIME, TIMES),
        case("fleming_harrington:0,1", TIME, TIMES),
        case("cox", TIME, TIMES),
        case("cox:robust", TIME, TIMES),
        case("cox_stratified", TIME, TIMES),
        case("cause_specific_cox", TIME, TIMES),
        case("rmst_difference", TIME, TIMES),
        case("rmst_ratio", TIME, TIMES),
        case("rmst_difference_adjusted", TIME, TIMES),
    ];
    for (endpoint, scenario) in [(BINARY, GROUPS_OF_SHARES), (NUMBER, MEANS), (TIME, TIMES)] {
        for (method, design) in [
            (BLOCKS, "blocks in 2 strata, n = 100"),
            (MINIMIZED, "minimized, n = 100"),
        ] {
            let made = case("randomization_test", endpoint, scenario).drawn(method, design);
            // Exact but for ties; binary statistics tie often.
            let made = made.claiming(COVERS, Claimed::AtMost(0.05));
            cases.push(Case {
                size: 100,
                quick: 200,
                ..made
            });
        }
    }
    cases
}

/// Hypotheses about margins, one-sided at 0.025.
pub const MARGINS: [(&str, &str); 3] = [
    (
        "non-inferiority, Miettinen-Nurminen",
        "estimator = 'risk_difference_miettinen_nurminen'\nhypothesis = 'non_inferiority'\nmargin = -0.1",
    ),
    (
        "non-inferiority, standardized",
        "estimator = 'standardized_risk_difference'\nhypothesis = 'non_inferiority'\nmargin = -0.1",
    ),
    (
        "equivalence, Miettinen-Nurminen",
        "estimator = 'risk_difference_miettinen_nurminen'\nhypothesis = 'equivalence'\nmargin = 0.2",
    ),
];

/// A one-sided trial against a margin.
pub fn margin(plan: &str) -> String {
    format!(
        "id = 'margin'\ntitle = 'margin'\n\
         arms = [{{id = 'a', ratio = 1, control = true}}, {{id = 'b', ratio = 1}}]\n\
         factors = [{{id = 'group', levels = ['a', 'b'], stratify = true}}]\n\
         endpoints = [{{id = 'y', from = 'reported', kind = 'binary'}}]\n\
         [randomization]\n{BLOCKS}\n\
         [analysis]\nprimary = 'y'\nalpha = 0.025\nsides = 1\n{plan}\n\
         [sample_size]\nplanned = 300\n"
    )
}

/// Spending functions and how they are told.
pub const SPENDING: [(&str, &str); 4] = [
    ("spending = 'obrien_fleming'", "O'Brien-Fleming, 3 looks"),
    ("spending = 'pocock'", "Pocock, 3 looks"),
    (
        "spending = 'hwang_shih_decani'\ngamma = -4",
        "Hwang-Shih-DeCani -4, 3 looks",
    ),
    ("spending = 'power'\nrho = 2", "power 2, 3 looks"),
];

/// Methods that hold the chance of any error over two comparisons.
pub const FAMILIES: [(&str, &str); 6] = [
    ("`bonferroni`", "method = 'bonferroni'"),
    ("`holm`", "method = 'holm'"),
    ("`hochberg`", "method = 'hochberg'"),
    ("`hommel`", "method = 'hommel'"),
    ("`fixed_sequence`", "method = 'fixed_sequence'"),
    (
        "`graphical`",
        "method = 'graphical'\nweights = { b = 0.7, c = 0.3 }\n\
         transitions = { b = { c = 1.0 }, c = { b = 1.0 } }",
    ),
];

/// Two arms against one control.
pub fn family(method: &str) -> String {
    format!(
        "id = 'family'\ntitle = 'family'\n\
         arms = [{{id = 'a', ratio = 1, control = true}}, {{id = 'b', ratio = 1}}, {{id = 'c', ratio = 1}}]\n\
         factors = [{{id = 'group', levels = ['a', 'b'], stratify = true}}]\n\
         endpoints = [{{id = 'y', from = 'reported', kind = 'continuous'}}]\n\
         [randomization]\nmethod = 'permuted_blocks'\nblock_sizes = [6]\n\
         [analysis]\nprimary = 'y'\nestimator = 'blocked_difference_in_means'\nalpha = 0.05\nsides = 2\n\
         [analysis.multiplicity]\n{method}\n[sample_size]\nplanned = 300\n"
    )
}

/// Shapes of boundaries and ways to stop.
pub const STOPS: [(&str, &str); 4] = [
    (
        "spending = 'wang_tsiatis'\ndelta = 0.25",
        "Wang-Tsiatis 0.25, 3 looks",
    ),
    ("spending = 'haybittle_peto'", "Haybittle-Peto 3, 3 looks"),
    (
        "spending = 'pocock'\nfutility = 'binding_beta'",
        "Pocock, binding futility, 3 looks",
    ),
    (
        "spending = 'obrien_fleming'\nharm = 0.1",
        "O'Brien-Fleming, harm at 0.1, 3 looks",
    ),
];

/// A one-sided trial with three looks.
pub fn sequential(spending: &str) -> String {
    format!(
        "id = 'looks'\ntitle = 'looks'\n\
         arms = [{{id = 'a', ratio = 1, control = true}}, {{id = 'b', ratio = 1}}]\n\
         factors = [{{id = 'group', levels = ['a', 'b'], stratify = true}}]\n\
         endpoints = [{{id = 'y', from = 'reported', kind = 'binary',\n\
           estimators = ['risk_difference_wald']}}]\n\
         [randomization]\n{BLOCKS}\n\
         [analysis]\nprimary = 'y'\nalpha = 0.025\nsides = 1\n\
         [analysis.looks]\ninformation = [0.33, 0.67, 1.0]\n{spending}\n\
         [sample_size]\nplanned = 900\npower = 0.9\n"
    )
}

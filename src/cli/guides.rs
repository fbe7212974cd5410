//! What is to be explained about the commands themselves.

/// The exit codes, as the help and `explain` show them.
pub const EXIT_CODES: &str = "  \
  0    every expectation and invariant held
  1    at least one did not
  2    the input cannot be used: a bad file, path, value or flag
  3    a stated limit was reached, or a run got stuck; what was done by then is reported
  130  interrupted; what was done by then is reported";

/// What is explained about the commands: a name, a line, the text.
pub const GUIDES: &[(&str, &str, &str)] = &[
    ("exit-codes", "What the exit code of a command says.", EXIT_CODES),
    (
        "paths",
        "How `--set` and the `set` of a variant find a value.",
        "  \
  A path leads from the scenario to one of its values, by the names of fields and the keys of
  maps, and by places from 0 in lists:

    --set run.load=20s
    --set nodes.payments.machine.workers=2
    --set nodes.orders.steps.1.policy.timeout=500ms
    --set 'faults[\"inventory crash\"].for=5s'

  The value is RON and may be of any kind; text may lack its quotes. A field that is not written
  in the file, because it has its default there, can be set as well.",
    ),
    (
        "seeds",
        "What a seed decides, and how many are needed.",
        "  \
  A run is a function of the build, the scenario and the seed: the same seed gives the same run on
  every machine and with any number of threads. Every node, link and fault draws from a random
  stream of its own, so what is changed or added moves no other draw, and all variants meet the
  same luck. One seed is one sample: `--seeds 20` makes twenty independent runs of each variant,
  which is what confidence intervals and marks of significance are made of.",
    ),
];

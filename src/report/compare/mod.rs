//! Runs held against each other: two of them, all of one scenario, and all of a workspace against what it ought to exercise.
//!
//! Owns: the figures of a run that another is held against ([`Figures`]), what changed ([`Comparison`]), how it went over time
//! ([`Trend`]), and what was exercised when ([`Coverage`]). Must not know: folders and terminals. It never averages fewer than three
//! runs, and where a number is too uncertain to tell a change it says so.

mod comparison;
mod coverage;
mod figures;
pub(super) mod page;
mod trend;

pub use comparison::{
    AlarmChange, Change, Comparison, HypothesisChange, LoadChange, ResponseChange, RunReference, TermChange,
};
pub use coverage::{Coverage, CoveredBy, CoveredRun, CoveredScenario, Subject, SubjectKind};
pub use figures::{
    AlarmFigure, FaultFigure, Figures, HypothesisFigure, LoadFigure, RESPONSES, ResponseFigure, TermFigure,
};
pub use page::comparison_page;
pub use trend::{Median, Trend, TrendLine, TrendPoint};

//! What fleets cost: prices, the ledger that is integrated from the recorded capacity, reports, and what a policy is
//! expected to cost in a month.
//!
//! Pure: data in, data out; no clock, file, socket or printing. Money is exact inside (see [`Money`]) and rounded to
//! cents only in reports, where the rows add up to their totals.

mod budget;
mod ledger;
mod money;
mod monthly;
mod prices;
mod render;
mod report;

pub use budget::{
    MonthStatus, PROJECTION_WINDOW, Spending, crossed_alerts, month_start, month_status,
};
pub use ledger::{BILLING_MINIMUM, LedgerRules, Timeline, Usage, billed};
pub use money::Money;
pub use monthly::{HOURS_PER_MONTH, MonthlyCost, hourly_cost, monthly_cost};
pub use prices::{GroupPrices, Price, PriceBook, PriceSource, bundled_price};
pub use render::{CostTable, render_csv, render_table};
pub use report::{
    COST_FORMAT_VERSION, CostFigures, CostReport, CostRow, GroupHistory, ReportBy, ReportRequest,
    report,
};

//! What comes of reading alarms and metrics while a run lasts.

use super::super::alarm_task::AlarmNews;
use super::super::core::Input;
use super::super::metric_task::MetricNews;
use super::Drive;
use crate::event::EventKind;

impl Drive {
    pub(super) fn hear_of_alarms(&mut self, news: Option<AlarmNews>) {
        match news {
            Some(AlarmNews::Told(kind)) => {
                self.record(*kind);
            }
            Some(AlarmNews::Read { asked_ms }) => self.feed(Input::AlarmsRead { asked_ms }, None),
            None => {
                self.is_watching_alarms = false;
                let since_ms = self.now_ms();
                self.record(EventKind::AlarmsUnread { since_ms, why: "nobody reads them any more".to_owned() });
            }
        }
    }

    pub(super) fn hear_of_metrics(&mut self, news: MetricNews) {
        match news {
            MetricNews::Told(kind) => drop(self.record(*kind)),
            MetricNews::Read { known_ms } => self.feed(Input::MetricsRead { known_ms }, None),
        }
    }
}

/// Seconds since 1970 as a date and time of day in UTC: `2026-09-21 13:46`.
///
/// Days to dates as in Hinnant's "chrono-compatible low-level date algorithms": years begin in March, so that
/// the leap day is the last.
pub(super) fn date(unix: u64) -> String {
    let (days, seconds) = (unix / 86_400, unix % 86_400);
    // Days since 0000-03-01; an era is 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = match month {
        0..10 => (month + 3, 400 * era + year),
        _ => (month - 9, 400 * era + year + 1),
    };
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", seconds / 3_600, seconds / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // date -u -d @SECONDS '+%F %R'
        for (unix, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_799, "2000-02-29 23:59"),
            (4_107_542_400, "2100-03-01 00:00"),
            (1_790_000_000, "2026-09-21 14:13"),
        ] {
            assert_eq!(date(unix), text);
        }
    }
}

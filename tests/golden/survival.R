# Golden values of the survival estimators. Writes survival_data.csv and survival_expected.csv
# beside itself. Run from anywhere: Rscript tests/golden/survival.R
# Made with R 4.2.2 and survival 3.5.3 (the versions are written into the second file).
suppressMessages(library(survival))
args <- commandArgs(FALSE)
here <- dirname(normalizePath(sub("--file=", "", args[grep("--file=", args)])))

case <- function(name, time, event, arm, stratum, tau)
  list(name = name, tau = tau, data = data.frame(time, event = as.integer(event), arm = as.integer(arm), stratum))

l <- subset(lung, !is.na(ph.ecog)); v <- veteran; p <- subset(pbc, !is.na(trt)); o <- ovarian
cases <- list(
  case("lung", l$time, l$status == 2, l$sex == 2, l$ph.ecog, 700),
  case("veteran", v$time, v$status == 1, v$trt == 2, v$celltype, 300),
  case("pbc", p$time / 365.25, p$status == 2, p$trt == 1, p$sex, 10),
  case("ovarian", o$futime, o$fustat == 1, o$rx == 2, o$resid.ds, 600),
  # Edge cases: ties everywhere; one event; a stratum that holds one arm; two participants.
  case("ties", rep(c(1, 2, 3), each = 8), rep(c(1, 1, 0, 1), 6), rep(c(0, 0, 0, 0, 1, 1, 1, 1), 3), rep(c("a", "b"), 12), 3),
  case("one_event", c(5, 3, 5, 5, 5, 5), c(0, 1, 0, 0, 0, 0), c(0, 0, 0, 1, 1, 1), c("a", "a", "b", "a", "a", "b"), 5),
  case("empty_arm_in_stratum", c(1, 4, 6, 2, 5, 7, 3, 8), c(1, 1, 0, 1, 0, 1, 1, 1), c(0, 0, 1, 1, 1, 0, 0, 0), c("a", "a", "a", "a", "a", "a", "b", "b"), 6),
  case("two_participants", c(1, 2), c(1, 1), c(0, 1), c("a", "a"), 2),
  case("flat_half", c(1, 2, 5, 7, 1, 2, 2, 9), c(1, 1, 1, 1, 1, 0, 1, 1), c(0, 0, 0, 0, 1, 1, 1, 1), rep("a", 8), 6)
)

rows <- list(); data <- list()
add <- function(name, quantity, value)
  rows[[length(rows) + 1]] <<- sprintf("%s,%s,%.17g", name, quantity, value)

analyse <- function(c, keep = TRUE) {
  d <- c$data
  if (keep) for (i in seq_len(nrow(d)))
    data[[length(data) + 1]] <<- sprintf("%s,%.17g,%d,%d,%s,%.17g", c$name, d$time[i], d$event[i], d$arm[i], d$stratum[i], c$tau)
  add(c$name, "log_rank", survdiff(Surv(time, event) ~ arm, d)$chisq)
  stratified <- tryCatch(survdiff(Surv(time, event) ~ arm + strata(stratum), d)$chisq, error = function(e) NA)
  if (!is.na(stratified)) add(c$name, "log_rank_stratified", stratified)
  means <- list()
  for (a in 0:1) {
    fit <- survfit(Surv(time, event) ~ 1, d[d$arm == a, ], conf.type = "log-log")
    t <- summary(fit, rmean = c$tau)$table
    means[[a + 1]] <- c(t[["rmean"]], t[["se(rmean)"]])
    add(c$name, paste0("rmst_", a), t[["rmean"]])
    add(c$name, paste0("rmst_se_", a), t[["se(rmean)"]])
    if (!is.na(t[["median"]])) add(c$name, paste0("median_", a), t[["median"]])
    at <- summary(fit, times = c$tau / 2, extend = TRUE)
    add(c$name, paste0("survival_", a), at$surv)
    if (at$surv > 0 && at$surv < 1) {
      add(c$name, paste0("survival_se_", a), at$std.err)
      add(c$name, paste0("survival_lower_", a), at$lower)
      add(c$name, paste0("survival_upper_", a), at$upper)
    }
  }
}
for (c in cases) analyse(c)

# A million participants, made the same way in the Rust test.
i <- 0:999999
large <- case("million", ((i * 7919) %% (521 + 20 * (i %% 2))) / 7 + 1 / 7, (i * 31) %% 10 < 6, i %% 2, i %% 5, 52)
analyse(large, keep = FALSE)

writeLines(c("case,time,event,arm,stratum,tau", unlist(data)), file.path(here, "survival_data.csv"))
writeLines(c(sprintf("# R %s, survival %s", getRversion(), packageVersion("survival")), "case,quantity,value", unlist(rows)),
           file.path(here, "survival_expected.csv"))

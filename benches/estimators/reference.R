# R's time for a task of main.rs, on the same numbers: reference.R DATA N REDRAWS TASK
# prints the shortest of three times in seconds, as soon as there is one.
suppressMessages({ library(survival); library(estimatr); library(cmprsk) })
args <- commandArgs(TRUE)
n <- as.integer(args[2]); redraws <- as.integer(args[3])
con <- file(args[1], "rb")
d <- as.data.frame(replicate(15, readBin(con, "double", n, size = 8, endian = "little"), simplify = FALSE))
close(con)
names(d) <- c("time", "cause", "arm", "y", "cluster", "stratum", paste0("x", 1:9))
xs <- paste0("x", 1:9)

clock <- function(work, times = 3) {
  best <- Inf
  for (i in seq_len(times)) {
    gc(FALSE)
    took <- system.time(work())[["elapsed"]]
    best <- min(best, took)
    cat(sprintf("%.6f\n", best)); flush(stdout())
    if (took > 20) break
  }
}

f <- reformulate(c("arm", xs), "Surv(time, cause == 1)")
task <- args[4]
if (task == "cox") clock(function() coxph(f, d, ties = "efron"))
if (task == "log_rank") clock(function() survdiff(Surv(time, cause == 1) ~ arm, d))
if (task == "kaplan_meier") clock(function() survfit(Surv(time, cause == 1) ~ arm, d))
if (task == "lin") clock(function() lm_lin(y ~ arm, reformulate(xs), d, se_type = "HC2"))
if (task == "cr2")
  clock(function() lm_robust(reformulate(c("arm", xs), "y"), d, clusters = cluster, se_type = "CR2"))
if (task == "fine_gray")
  clock(function() crr(d$time, d$cause, as.matrix(d[c("arm", "x1", "x2")]), variance = TRUE))

# Blocks of 4 within strata, in the order of the rows: labels are shuffled within blocks by one sort.
if (task != "rerandomization") quit()
block <- ave(seq_len(n), d$stratum, FUN = function(i) (seq_along(i) - 1) %/% 4) + d$stratum * n
start <- order(block); labels <- rep_len(c(1, 1, 0, 0), n); b <- block[start]; y <- d$y[start]
s <- factor(d$stratum[start]); size <- as.vector(table(s)); code <- as.integer(s)
clock(function() {
  total <- rowsum(y, code)
  for (r in seq_len(redraws)) {
    arm <- labels[order(b, runif(n))]
    sums <- rowsum(cbind(arm, arm * y), code)
    sum(size / n * (sums[, 2] / sums[, 1] - (total - sums[, 2]) / (size - sums[, 1])))
  }
})

# R's times for the tasks of main.rs, on the same numbers: reference.R DATA N REDRAWS
# prints "task,seconds" a line. A task gets five minutes; one that took more at a smaller size is not
# tried at a larger one (crr and its like grow with the square).
suppressMessages({ library(survival); library(estimatr); library(cmprsk) })
args <- commandArgs(TRUE)
n <- as.integer(args[2]); redraws <- as.integer(args[3])
con <- file(args[1], "rb")
d <- as.data.frame(replicate(15, readBin(con, "double", n, size = 8, endian = "little"), simplify = FALSE))
close(con)
names(d) <- c("time", "cause", "arm", "y", "cluster", "stratum", paste0("x", 1:9))
xs <- paste0("x", 1:9)

clock <- function(task, work, times = 3) {
  best <- Inf
  for (i in seq_len(times)) {
    gc(FALSE)
    setTimeLimit(elapsed = 300, transient = TRUE)
    took <- tryCatch(system.time(work())[["elapsed"]], error = function(e) NA)
    setTimeLimit()
    if (is.na(took)) return(invisible())
    best <- min(best, took)
    if (took > 20) break
  }
  cat(sprintf("%s,%.6f\n", task, best))
}

f <- reformulate(c("arm", xs), "Surv(time, cause == 1)")
clock("cox", function() coxph(f, d, ties = "efron"))
clock("log_rank", function() survdiff(Surv(time, cause == 1) ~ arm, d))
clock("kaplan_meier", function() survfit(Surv(time, cause == 1) ~ arm, d))
clock("lin", function() lm_lin(y ~ arm, reformulate(xs), d, se_type = "HC2"))
clock("cr2", function() lm_robust(reformulate(c("arm", xs), "y"), d, clusters = cluster, se_type = "CR2"))
if (n <= 10000)
  clock("fine_gray", function() crr(d$time, d$cause, as.matrix(d[c("arm", "x1", "x2")]), variance = TRUE))

# Blocks of 4 within strata, in the order of the rows: labels are shuffled within blocks by one sort.
block <- ave(seq_len(n), d$stratum, FUN = function(i) (seq_along(i) - 1) %/% 4) + d$stratum * n
start <- order(block); labels <- rep_len(c(1, 1, 0, 0), n); b <- block[start]; y <- d$y[start]
s <- factor(d$stratum[start]); size <- as.vector(table(s)); code <- as.integer(s)
clock("rerandomization", function() {
  total <- rowsum(y, code)
  for (r in seq_len(redraws)) {
    arm <- labels[order(b, runif(n))]
    sums <- rowsum(cbind(arm, arm * y), code)
    sum(size / n * (sums[, 2] / sums[, 1] - (total - sums[, 2]) / (size - sums[, 1])))
  }
}, times = 1)

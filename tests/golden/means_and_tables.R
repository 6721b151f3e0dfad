# Golden values of difference_in_means_welch, the Mantel-Haenszel estimates, breslow_day_tarone,
# cochran_mantel_haenszel, and of the first stratum risk_ratio_katz and odds_ratio_woolf. Writes means_*.csv and tables_*.csv beside itself.
# Run from anywhere: Rscript tests/golden/means_and_tables.R
# Made with R 4.2.2 and metafor 3.8.1 (the versions are written into the files).
suppressMessages(library(metafor))
args <- commandArgs(FALSE)
here <- dirname(normalizePath(sub("--file=", "", args[grep("--file=", args)])))
rows <- list(); data <- list()
add <- function(name, quantity, value) rows[[length(rows) + 1]] <<- sprintf("%s,%s,%.17g", name, quantity, value)
save <- function(stem, header, versions) {
  writeLines(c(header, unlist(data)), file.path(here, paste0(stem, "_data.csv")))
  writeLines(c(versions, "case,quantity,value", unlist(rows)), file.path(here, paste0(stem, "_expected.csv")))
  rows <<- list(); data <<- list()
}

means <- function(name, arm, reference, keep = TRUE) {
  if (keep) {
    for (x in arm) data[[length(data) + 1]] <<- sprintf("%s,1,%.17g", name, x)
    for (x in reference) data[[length(data) + 1]] <<- sprintf("%s,0,%.17g", name, x)
  }
  t <- t.test(arm, reference)
  add(name, "estimate", unname(t$estimate[1] - t$estimate[2]))
  add(name, "standard_error", t$stderr)
  add(name, "df", unname(t$parameter)); add(name, "t", unname(t$statistic)); add(name, "p", t$p.value)
  add(name, "lower", t$conf.int[1]); add(name, "upper", t$conf.int[2])
  add(name, "p_greater", t.test(arm, reference, alternative = "greater", mu = 0.5)$p.value)
}
means("sleep", sleep$extra[sleep$group == 2], sleep$extra[sleep$group == 1])
means("mtcars", mtcars$mpg[mtcars$am == 1], mtcars$mpg[mtcars$am == 0])
means("chickwts", chickwts$weight[chickwts$feed == "casein"], chickwts$weight[chickwts$feed == "horsebean"])
means("heavy", c(1e6, 2, 3, 5), c(1, 4, 1, 5, 9, 2, 6))
means("n_is_2", c(1, 3), c(2, 2.5))
means("one_arm_constant", c(4, 4, 4), c(1, 2, 6))
# A million values, made the same way in the Rust test.
i <- 0:999999
x <- ((i * 7919) %% 10007) / 100 + ifelse(i %% 2 == 1, 0.05, 0)
means("million", x[i %% 2 == 1], x[i %% 2 == 0], keep = FALSE)
save("means", "case,arm,value", sprintf("# R %s", getRversion()))

tables <- function(name, a, n1, c, n2) {
  for (k in seq_along(a)) data[[length(data) + 1]] <<- sprintf("%s,%d,%d,%d,%d", name, a[k], n1[k], c[k], n2[k])
  both <- n1 > 0 & n2 > 0
  a <- a[both]; n1 <- n1[both]; c <- c[both]; n2 <- n2[both]
  # Without drop00 and add, metafor neither drops nor shifts strata without events.
  mh <- rma.mh(measure = "RD", ai = a, n1i = n1, ci = c, n2i = n2, add = 0, to = "none", drop00 = FALSE, correct = FALSE)
  add(name, "estimate", as.numeric(mh$beta)); add(name, "standard_error", mh$se)
  add(name, "lower", mh$ci.lb); add(name, "upper", mh$ci.ub); add(name, "z", mh$zval); add(name, "p", mh$pval)
  for (measure in c("RR", "OR")) {
    ratio <- rma.mh(measure = measure, ai = a, n1i = n1, ci = c, n2i = n2, add = 0, to = "none", drop00 = FALSE, correct = FALSE)
    what <- tolower(measure)
    if (is.finite(ratio$beta) && is.finite(ratio$se)) {
      add(name, paste0(what, "_log"), as.numeric(ratio$beta)); add(name, paste0(what, "_se"), ratio$se)
      add(name, paste0(what, "_lower"), exp(ratio$ci.lb)); add(name, paste0(what, "_upper"), exp(ratio$ci.ub))
      if (measure == "OR" && length(a) > 1 && all(a + c > 0) && all(a + c < n1 + n2)) {
        add(name, "tarone", ratio$TA); add(name, "tarone_p", ratio$TAp)
      }
    }
    single <- escalc(measure = measure, ai = a[1], n1i = n1[1], ci = c[1], n2i = n2[1], add = 0, to = "none", drop00 = FALSE)
    if (is.finite(single$yi) && is.finite(single$vi)) {
      add(name, paste0("first_", what, "_log"), as.numeric(single$yi))
      add(name, paste0("first_", what, "_se"), sqrt(single$vi))
    }
  }
  if (length(a) > 1) {
    cube <- array(rbind(a, c, n1 - a, n2 - c), c(2, 2, length(a)))
    test <- mantelhaen.test(cube, correct = FALSE)
    add(name, "chi_square", unname(test$statistic)); add(name, "chi_square_p", test$p.value)
  }
}
tables("bcg", dat.bcg$tpos, dat.bcg$tpos + dat.bcg$tneg, dat.bcg$cpos, dat.bcg$cpos + dat.bcg$cneg)
u <- UCBAdmissions
tables("berkeley", u["Admitted", "Male", ], u["Admitted", "Male", ] + u["Rejected", "Male", ],
       u["Admitted", "Female", ], u["Admitted", "Female", ] + u["Rejected", "Female", ])
tables("zero_cells", c(0, 3, 0, 2), c(8, 9, 5, 4), c(2, 0, 0, 4), c(9, 7, 6, 4))
tables("one_arm_in_a_stratum", c(4, 2, 5), c(10, 6, 8), c(3, 0, 4), c(11, 0, 9))
tables("pairs", rep(c(1, 0, 1, 0), c(9, 4, 6, 7)), rep(1, 26), rep(c(0, 1, 1, 0), c(9, 4, 6, 7)), rep(1, 26))
tables("million", c(120000, 81000), c(260000, 240000), c(118000, 83500), c(258000, 242000))
save("tables", "case,events_arm,n_arm,events_reference,n_reference",
     sprintf("# R %s, metafor %s", getRversion(), packageVersion("metafor")))

# Group-sequential designs by R rpact, for tests/golden/sequential.rs.
#
# Usage: Rscript tests/golden/sequential.R > tests/golden/sequential_expected.csv
# Made with R 4.2.2 and rpact 3.3.4 (Debian 12: r-cran-rpact).
suppressMessages(library(rpact))

rows <- list()
say <- function(design, name, look, value) {
  rows[[length(rows) + 1]] <<- sprintf("%s,%s,%d,%.12g", design, name, look, value)
}

spendings <- list(
  obrien_fleming = list(typeOfDesign = "asOF"),
  pocock = list(typeOfDesign = "asP"),
  "hsd:-4" = list(typeOfDesign = "asHSD", gammaA = -4),
  "hsd:1" = list(typeOfDesign = "asHSD", gammaA = 1),
  "power:1" = list(typeOfDesign = "asKD", gammaA = 1),
  "power:3" = list(typeOfDesign = "asKD", gammaA = 3)
)
looks <- list(c(0.5, 1), c(1, 2, 3) / 3, c(0.2, 0.55, 0.8, 1), (1:5) / 5, c(0.1, 0.35, 1))
drifts <- c(0, 1.5, 3.2414)

for (spending in names(spendings)) for (times in looks) for (case in c("1:0.025", "1:0.005", "2:0.05")) {
  parts <- as.numeric(strsplit(case, ":")[[1]])
  arguments <- c(spendings[[spending]], list(
    kMax = length(times), alpha = parts[2], beta = 0.1, sided = parts[1],
    informationRates = times, tolerance = 1e-10))
  design <- do.call(getDesignGroupSequential, arguments)
  id <- paste(spending, case, paste(sprintf("%.17g", times), collapse = ";"), sep = "|")
  for (k in seq_along(times)) say(id, "upper", k, design$criticalValues[k])
  for (k in seq_along(times)) say(id, "spent", k, design$alphaSpent[k])
  say(id, "inflation", 0, getDesignCharacteristics(design)$inflationFactor)
  for (drift in drifts) {
    reached <- getPowerAndAverageSampleNumber(design, theta = drift, nMax = 1)
    say(id, sprintf("power:%g", drift), 0, reached$overallReject)
    say(id, sprintf("expected:%g", drift), 0, reached$averageSampleNumber)
  }
}

# Non-binding futility, beta spent by Hwang, Shih and DeCani.
for (gamma in c(-4, -2, 1)) for (times in looks) for (beta in c(0.1, 0.2)) {
  design <- getDesignGroupSequential(
    kMax = length(times), alpha = 0.025, beta = beta, sided = 1, informationRates = times,
    typeOfDesign = "asHSD", gammaA = -4, typeBetaSpending = "bsHSD", gammaB = gamma,
    bindingFutility = FALSE, tolerance = 1e-10)
  id <- paste(sprintf("futility:%g:%g", gamma, beta), "1:0.025", paste(sprintf("%.17g", times), collapse = ";"), sep = "|")
  for (k in seq_along(design$futilityBounds)) say(id, "futility", k, design$futilityBounds[k])
  say(id, "inflation", 0, getDesignCharacteristics(design)$inflationFactor)
}

# Boundaries of a shape: Wang and Tsiatis, Haybittle and Peto.
for (shape in c("wang_tsiatis:0", "wang_tsiatis:0.25", "wang_tsiatis:0.4", "haybittle_peto:3")) for (times in looks)
  for (case in c("1:0.025", "2:0.05")) {
    parts <- as.numeric(strsplit(case, ":")[[1]]); value <- as.numeric(sub(".*:", "", shape))
    arguments <- if (startsWith(shape, "wang")) list(typeOfDesign = "WT", deltaWT = value) else
      list(typeOfDesign = "HP", constantBoundsHP = value)
    design <- do.call(getDesignGroupSequential, c(arguments, list(
      kMax = length(times), alpha = parts[2], beta = 0.1, sided = parts[1], informationRates = times, tolerance = 1e-10)))
    id <- paste(shape, case, paste(sprintf("%.17g", times), collapse = ";"), sep = "|")
    for (k in seq_along(times)) say(id, "upper", k, design$criticalValues[k])
    for (k in seq_along(times)) say(id, "spent", k, design$alphaSpent[k])
    say(id, "inflation", 0, getDesignCharacteristics(design)$inflationFactor)
  }

# Binding futility: both boundaries count on each other.
for (gamma in c(-4, -2, 1)) for (times in looks) for (beta in c(0.1, 0.2)) {
  design <- getDesignGroupSequential(
    kMax = length(times), alpha = 0.025, beta = beta, sided = 1, informationRates = times,
    typeOfDesign = "asHSD", gammaA = -4, typeBetaSpending = "bsHSD", gammaB = gamma,
    bindingFutility = TRUE, tolerance = 1e-10)
  id <- paste(sprintf("binding:%g:%g", gamma, beta), "1:0.025", paste(sprintf("%.17g", times), collapse = ";"), sep = "|")
  for (k in seq_along(times)) say(id, "upper", k, design$criticalValues[k])
  for (k in seq_along(design$futilityBounds)) say(id, "futility", k, design$futilityBounds[k])
  say(id, "inflation", 0, getDesignCharacteristics(design)$inflationFactor)
}
cat("design,name,look,value\n")
cat(paste(rows, collapse = "\n"), "\n", sep = "")

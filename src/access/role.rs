//! The one table of who may do what.

crate::vocabulary! {
    /// What a key is for.
    pub enum Role {
        Administrator = "administrator",
        Enroller = "enroller",
        Source = "source",
        Statistician = "statistician",
        Monitor = "monitor",
        Auditor = "auditor",
    }
}

crate::vocabulary! {
    /// What can be done; its spelling is what a refusal names.
    pub enum Right {
        DesignTrial = "trials:design",
        ReadTrial = "trials:read",
        ConductTrial = "trials:conduct",
        Enrol = "enrolments:write",
        ReadParticipant = "participants:read",
        WriteConversation = "conversations:write",
        ReadConversation = "conversations:read",
        WriteOutcome = "outcomes:write",
        ReadOutcome = "outcomes:read",
        ReadFlow = "flow:read",
        WriteDataCut = "data_cuts:write",
        ReadDataCut = "data_cuts:read",
        Analyse = "analyses:write",
        ReadAnalysis = "analyses:read",
        Export = "exports:read",
        ManageKeys = "keys:manage",
        ReadLedger = "ledger:read",
        ReadBundle = "bundle:read",
    }
}

impl Role {
    /// Whether the role has the right. What is not listed is not allowed.
    pub fn may(self, right: Right) -> bool {
        use Right::*;
        let rights: &[Right] = match self {
            Role::Administrator => &[
                DesignTrial,
                ReadTrial,
                ConductTrial,
                ReadFlow,
                WriteDataCut,
                ReadDataCut,
                ManageKeys,
                ReadLedger,
                ReadBundle,
            ],
            Role::Enroller => &[
                ReadTrial,
                Enrol,
                ReadParticipant,
                WriteConversation,
                ReadConversation,
            ],
            // Sources write; what they sent before they have themselves.
            Role::Source => &[WriteConversation, WriteOutcome],
            Role::Statistician => &[
                ReadTrial,
                ReadOutcome,
                ReadFlow,
                WriteDataCut,
                ReadDataCut,
                Analyse,
                ReadAnalysis,
                Export,
                ReadLedger,
            ],
            Role::Monitor => &[
                ReadTrial,
                ReadConversation,
                ReadOutcome,
                ReadFlow,
                WriteDataCut,
                ReadDataCut,
                Analyse,
                ReadAnalysis,
                Export,
                ReadLedger,
            ],
            Role::Auditor => &[ReadTrial, ReadDataCut, ReadLedger, ReadBundle],
        };
        rights.contains(&right)
    }

    /// Whether the role has the right in a trial that is open (unblinded).
    pub fn may_once_open(self, right: Right) -> bool {
        use Right::{ReadAnalysis, ReadConversation};
        let more: &[Right] = match self {
            Role::Statistician => &[ReadConversation],
            Role::Administrator => &[ReadAnalysis],
            _ => &[],
        };
        self.may(right) || more.contains(&right)
    }

    /// Whether the role sees results by arm: a monitor always, the others once the trial is open
    /// (unblinded).
    pub fn sees_arms(self, open: bool) -> bool {
        self == Role::Monitor || open
    }

    /// Whether the role reads records with their days and ids: enrollers those of their sites, whoever sees
    /// the arms all.
    pub fn reads_records_unblinded(self, open: bool) -> bool {
        self == Role::Enroller || self.sees_arms(open)
    }

    /// Whether the role sees arms of a trial that is still blinded: all of them, or those of its sites.
    pub fn sees_arms_while_blinded(self) -> bool {
        matches!(self, Role::Monitor | Role::Enroller)
    }

    /// Whether a key of this role takes two persons: it sees arms and names no sites, or results.
    pub fn takes_two_persons(self, all_sites: bool) -> bool {
        match self {
            Role::Monitor | Role::Statistician => true,
            Role::Enroller => all_sites,
            Role::Administrator | Role::Source | Role::Auditor => false,
        }
    }
}

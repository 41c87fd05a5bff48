-- An incident of a model that its schedule asks no more is over.

ALTER TABLE incidents DROP CONSTRAINT incidents_resolution_check,
    ADD CONSTRAINT incidents_resolution_check
        CHECK (resolution IN ('recovered', 'resolved', 'dismissed', 'baseline_accepted', 'outage_over', 'left'));
ALTER TABLE incident_events DROP CONSTRAINT incident_events_kind_check,
    ADD CONSTRAINT incident_events_kind_check
        CHECK (kind IN ('opened', 'joined', 'reminded', 'recovered', 'outage_over', 'left',
                        'acknowledged', 'resolved', 'dismissed', 'baseline_accepted'));

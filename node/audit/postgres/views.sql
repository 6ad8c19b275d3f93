-- Views over the read model. They are made anew when this file or a declared table changes.
-- A column that depends on time shows what the last transaction left; bmw.position has the time of the last block.

create view bmw.fleet as
select model,
       powertrain,
       case when registration__status in ('registered', 'suspended') then registration__country end as country,
       existence,
       count(*) as cars,
       count(*) filter (where verdict in ('CONTESTED', 'ILLOGICAL')) as odometer_contradicted,
       count(*) filter (where jsonb_array_length(recalls) > 0) as with_open_recall,
       sum(record_count) as records
from bmw.vehicles
group by 1, 2, 3, 4;
comment on view bmw.fleet is 'Cars by model, powertrain, country of registration and existence.';

create view bmw.open_recalls as
select recall.maker || '-' || recall.campaign as recall,
       member.name as maker,
       recall.campaign,
       recall.recall_class,
       recall.since,
       car.vin,
       car.model,
       car.registration__country as country,
       car.holder
from bmw.vehicles car
cross join lateral jsonb_to_recordset(car.recalls)
    as recall (maker text, campaign text, recall_class text, since timestamptz)
left join bmw.members member on member.address = recall.maker
where car.existence not in ('scrapped', 'voided');
comment on view bmw.open_recalls is 'One row for each car and campaign that is not carried out on it.';

create view bmw.recall_progress as
select id as recall,
       recall_class,
       remedy,
       cars as open,
       done,
       removed,
       round(100.0 * done / nullif(cars + done, 0), 1) as percent_done
from bmw.recalls;

create view bmw.finality as
select block.height,
       block.time,
       extract(epoch from block.time - lag(block.time) over (order by block.height))::double precision as interval_s,
       block.transactions,
       commit.round,
       (commit.power_signed::double precision / commit.power) as power_signed
from bmw.blocks block
left join bmw.commits commit using (height);
comment on view bmw.finality is 'Blocks with the time since the one before, the round that decided, and the share of power in the certificate.';

create view bmw.disputes_by_author as
select dispute.author,
       coalesce(member.name, '') as name,
       count(*) as disputes,
       count(*) filter (where dispute.outcome is null) as open,
       count(*) filter (where dispute.outcome = 'stands') as stands,
       count(*) filter (where dispute.outcome = 'amended') as amended,
       count(*) filter (where dispute.outcome = 'annulled') as annulled,
       count(*) filter (where dispute.outcome = 'undecided') as undecided,
       count(*) filter (where dispute.outcome = 'withdrawn') as withdrawn,
       (select count(*) from bmw.records record where record.author = dispute.author) as records
from bmw.disputes dispute
left join bmw.members member on member.address = dispute.author
group by dispute.author, member.name;
comment on view bmw.disputes_by_author is 'Disputes about the records of each author, by outcome.';

create view bmw.validator_duty as
select vote.validator,
       coalesce(member.name, '') as name,
       count(*) as blocks,
       count(*) filter (where vote.has_signed) as signed,
       (count(*) filter (where vote.has_signed))::double precision / count(*) as uptime,
       (select count(*) from bmw.blocks block where block.proposer = vote.validator) as proposed,
       (select count(*) from bmw.missed_proposals missed where missed.validator = vote.validator) as missed_proposals
from bmw.votes vote
left join bmw.members member on member.address = vote.validator
group by vote.validator, member.name;
comment on view bmw.validator_duty is 'How many blocks each validator has signed, proposed, and let pass its turn to propose.';

create view bmw.transactions_by_day as
select date_trunc('day', time) as day, type, count(*) as transactions
from bmw.transactions
group by 1, 2;

PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE harness_schema (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO harness_schema VALUES(10);
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	started VARCHAR(32) NOT NULL, 
	ended VARCHAR(32), 
	experiment TEXT NOT NULL, 
	environment TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO runs VALUES(1,'first','finished','2026-11-26T00:10:23+00:00','2026-11-26T00:10:24+00:00','{"models": [{"name": "tfidf-lr", "reference": null, "params": {}}], "tasks": [{"name": "bbc-news", "reference": null, "params": {}}], "strategies": [{"name": "finetune", "reference": null, "params": {"train_size": 8}}], "seeds": [0], "split": "test", "limit": null, "scenarios": [], "executor": {"name": "local", "reference": null, "params": {}}, "device": "auto", "name": "first", "exclude": [], "baselines": false, "sizes": [], "per_label": false}','{"machine": "two cores"}');
CREATE TABLE trials (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	traceback TEXT NOT NULL, 
	coverage TEXT, 
	metrics TEXT, 
	contexts TEXT, 
	scored_by TEXT, 
	load_s DOUBLE, 
	train_s DOUBLE, 
	notes TEXT, 
	provenance TEXT, 
	budget TEXT, 
	adapt_s DOUBLE, 
	model_calls BIGINT, 
	adapt_tokens BIGINT, 
	details TEXT, 
	manifest TEXT, 
	clean TEXT, 
	audited_by TEXT, 
	PRIMARY KEY (id), 
	UNIQUE ("key")
);
INSERT INTO trials VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','finished','','','{"answered": 3, "empty": 0, "truncated": 0, "unparsed": 1, "failed": 0, "shortened": 0}','{"macro_f1": {"value": 0.5, "low": 0.4, "high": 0.6}, "cross_entropy": {"value": 2.0, "low": 1.0, "high": "inf"}}','{"films": {"n": 4, "metrics": {"macro_f1": {"value": 0.5, "low": 0.4, "high": 0.6}}}}','macro_f1 1.0',1.5,20.0,'["17 train rows left out"]','{"device": "cpu"}','{"train": 8, "validation": 2, "unlabelled": 0, "transductive": false}',2.5,40,900,'{"search": {"rungs": [1, 2], "best": "inf"}}','{"task": "bbc-news"}','{"n": 3, "metrics": {"macro_f1": {"value": 0.4, "low": 0.2, "high": 0.6}}, "left_out": {"row-0": "train 17 (0.93)"}}','mark');
INSERT INTO trials VALUES(2,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','failed','the loss is not finite','Traceback ...',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO trials VALUES(3,'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','not-applicable','it can''t be trained','',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE run_trials (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	trial INTEGER NOT NULL, 
	cached BOOLEAN NOT NULL, 
	model TEXT NOT NULL, 
	task TEXT NOT NULL, 
	strategy TEXT NOT NULL, 
	seed INTEGER NOT NULL, 
	split VARCHAR(16) NOT NULL, 
	sample_limit INTEGER, 
	description TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (run, trial), 
	FOREIGN KEY(run) REFERENCES runs (id), 
	FOREIGN KEY(trial) REFERENCES trials (id)
);
INSERT INTO run_trials VALUES(1,1,1,0,'tfidf-lr','bbc-news','finetune,train_size=8',0,'test',NULL,'{"key": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "model": {"name": "tfidf-lr", "reference": null, "params": {}}, "task": {"name": "bbc-news", "reference": null, "params": {}}, "strategy": {"name": "finetune", "reference": null, "params": {"train_size": 8}}, "seed": 0, "split": "test", "limit": null, "samples": "rows", "n": 4, "plugins": {"baselines": "1.0"}, "baselines": {"zero-shot": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}, "control": false, "refusal": "", "curve": "", "prompts": false, "source": null, "added": false, "losses": []}');
INSERT INTO run_trials VALUES(2,1,2,0,'tfidf-lr','bbc-news','finetune,train_size=8',1,'test',NULL,'{"key": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "model": {"name": "tfidf-lr", "reference": null, "params": {}}, "task": {"name": "bbc-news", "reference": null, "params": {}}, "strategy": {"name": "finetune", "reference": null, "params": {"train_size": 8}}, "seed": 1, "split": "test", "limit": null, "samples": "rows", "n": 4, "plugins": {"baselines": "1.0"}, "baselines": {}, "control": false, "refusal": "", "curve": "", "prompts": false, "source": null, "added": false, "losses": []}');
INSERT INTO run_trials VALUES(3,1,3,0,'tfidf-lr','bbc-news','finetune,train_size=8',2,'test',NULL,'{"key": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "model": {"name": "tfidf-lr", "reference": null, "params": {}}, "task": {"name": "bbc-news", "reference": null, "params": {}}, "strategy": {"name": "finetune", "reference": null, "params": {"train_size": 8}}, "seed": 2, "split": "test", "limit": null, "samples": "rows", "n": 4, "plugins": {"baselines": "1.0"}, "baselines": {}, "control": false, "refusal": "it can''t be trained", "curve": "", "prompts": false, "source": null, "added": false, "losses": []}');
CREATE TABLE predictions (
	trial INTEGER NOT NULL, 
	sample_id VARCHAR(512) NOT NULL, 
	position INTEGER NOT NULL, 
	target TEXT NOT NULL, 
	prediction TEXT, 
	status VARCHAR(16) NOT NULL, 
	scores TEXT NOT NULL, 
	text TEXT, 
	context TEXT, 
	prompt_tokens INTEGER NOT NULL, 
	output_tokens INTEGER NOT NULL, 
	dropped_demonstrations INTEGER NOT NULL, 
	cut_tokens INTEGER NOT NULL, 
	latency_ms DOUBLE, 
	reason TEXT NOT NULL, 
	cluster_name TEXT, 
	measured TEXT, 
	judged SMALLINT, 
	PRIMARY KEY (trial, sample_id), 
	FOREIGN KEY(trial) REFERENCES trials (id)
)
 WITHOUT ROWID

;
INSERT INTO predictions VALUES(1,'row-0',0,'sport','sport','answered','[-0.5, -1.25, "-inf"]',replace('it''s sport;\nsays “it”','\n',char(10)),'films',7,3,2,1,4.5,'','passage-0',NULL,NULL);
INSERT INTO predictions VALUES(1,'row-1',1,'sport','sport','answered','[-0.5, -1.25, "-inf"]',replace('it''s sport;\nsays “it”','\n',char(10)),'films',7,3,2,1,12.0,'','passage-0',NULL,NULL);
INSERT INTO predictions VALUES(1,'row-2',2,'sport','sport','answered','[-0.5, -1.25, "-inf"]',replace('it''s sport;\nsays “it”','\n',char(10)),'films',7,3,2,1,4.5,'','passage-1','{"acc": 0.5}',0);
INSERT INTO predictions VALUES(1,'row-3',3,'sport',NULL,'unparsed','[-0.5, -1.25, "-inf"]',replace('it''s sport;\nsays “it”','\n',char(10)),'films',7,3,2,1,4.5,'no label in it','passage-1',NULL,NULL);
CREATE TABLE timings (
	trial INTEGER NOT NULL, 
	chunk INTEGER NOT NULL, 
	samples INTEGER NOT NULL, 
	seconds DOUBLE NOT NULL, 
	prompt_tokens BIGINT NOT NULL, 
	output_tokens BIGINT NOT NULL, 
	peak_bytes BIGINT NOT NULL, 
	counters TEXT NOT NULL, 
	cpu_s DOUBLE, 
	energy_j DOUBLE, 
	device_peak_bytes BIGINT, 
	PRIMARY KEY (trial, chunk), 
	FOREIGN KEY(trial) REFERENCES trials (id)
)
 WITHOUT ROWID

;
INSERT INTO timings VALUES(1,0,2,0.5,10,2,1000,'{"forwarded_tokens": 12}',0.75,3.5,512);
INSERT INTO timings VALUES(1,1,2,0.5,10,2,1000,'{"forwarded_tokens": 12}',0.75,3.5,512);
CREATE TABLE latencies (
	trial INTEGER NOT NULL, 
	scenario VARCHAR(255) NOT NULL, 
	measured TEXT NOT NULL, 
	PRIMARY KEY (trial, scenario), 
	FOREIGN KEY(trial) REFERENCES trials (id)
)
 WITHOUT ROWID

;
INSERT INTO latencies VALUES(1,'single-stream','{"p50_ms": 12.5, "p99_ms": null}');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('0010');
CREATE INDEX ix_run_trials_trial ON run_trials (trial);
CREATE VIEW named_trials AS
SELECT trials.id AS trial, trials."key", links.model, links.task, links.strategy, links.seed, links.split,
       links.sample_limit, trials.status, links.of_name = 1 AS is_newest
FROM trials
JOIN (
    SELECT run_trials.*,
           row_number() OVER (PARTITION BY trial ORDER BY run DESC) AS of_trial,
           row_number() OVER (
               PARTITION BY model, task, strategy, seed, split, sample_limit ORDER BY run DESC, id
           ) AS of_name
    FROM run_trials
) AS links ON links.trial = trials.id AND links.of_trial = 1;
CREATE VIEW named_scores AS
SELECT named."key", named.model, named.task, named.strategy, named.seed, named.split, named.sample_limit,
       named.is_newest, named.status, score."key" AS metric,
       CAST(CASE json_extract(score.value, '$.value')
            WHEN 'nan' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999
            ELSE json_extract(score.value, '$.value') END AS REAL) AS value,
       CAST(CASE json_extract(score.value, '$.low')
            WHEN 'nan' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999
            ELSE json_extract(score.value, '$.low') END AS REAL) AS low,
       CAST(CASE json_extract(score.value, '$.high')
            WHEN 'nan' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999
            ELSE json_extract(score.value, '$.high') END AS REAL) AS high
FROM named_trials AS named
JOIN trials ON trials.id = named.trial
CROSS JOIN json_each(trials.metrics) AS score;
CREATE VIEW named_predictions AS
SELECT named."key", named.model, named.task, named.strategy, named.seed, named.split, named.sample_limit,
       named.is_newest, said.sample_id, said.position, said.target, said.prediction,
       CASE WHEN said.judged IS NOT NULL THEN said.judged <> 0
            WHEN said.prediction = said.target THEN TRUE ELSE FALSE END AS correct,
       said.status, said.scores, said.text, said.context, said.prompt_tokens, said.output_tokens, said.latency_ms,
       said.reason
FROM named_trials AS named
JOIN predictions AS said ON said.trial = named.trial;
COMMIT;

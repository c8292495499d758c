PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE harness_schema (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO harness_schema VALUES(4);
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
INSERT INTO runs VALUES(1,'first','finished','2026-11-26T00:10:04+00:00','2026-11-26T00:10:04+00:00','{"models": [{"name": "tfidf-lr", "reference": null, "params": {}}], "tasks": [{"name": "bbc-news", "reference": null, "params": {}}], "strategies": [{"name": "finetune", "reference": null, "params": {"train_size": 8}}], "seeds": [0], "split": "test", "limit": null, "scenarios": [], "executor": {"name": "local", "reference": null, "params": {}}, "device": "auto", "name": "first"}','{"machine": "two cores"}');
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
	PRIMARY KEY (id), 
	UNIQUE ("key")
);
INSERT INTO trials VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','finished','','','{"answered": 3, "empty": 0, "truncated": 0, "unparsed": 1, "failed": 0, "shortened": 0}','{"macro_f1": {"value": 0.5, "low": 0.4, "high": 0.6}, "cross_entropy": {"value": 2.0, "low": 1.0, "high": "inf"}}','{"films": {"n": 4, "metrics": {"macro_f1": {"value": 0.5, "low": 0.4, "high": 0.6}}}}','macro_f1 1.0',1.5,20.0,'["17 train rows left out"]','{"device": "cpu"}','{"train": 8, "validation": 2, "unlabelled": 0, "transductive": false}',2.5,40,900,'{"search": {"rungs": [1, 2], "best": "inf"}}');
INSERT INTO trials VALUES(2,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','failed','the loss is not finite','Traceback ...',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO trials VALUES(3,'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','not-applicable','it can''t be trained','',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO run_trials VALUES(1,1,1,0,'tfidf-lr','bbc-news','finetune,train_size=8',0,'test',NULL,'{"key": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "model": {"name": "tfidf-lr", "reference": null, "params": {}}, "task": {"name": "bbc-news", "reference": null, "params": {}}, "strategy": {"name": "finetune", "reference": null, "params": {"train_size": 8}}, "seed": 0, "split": "test", "limit": null, "samples": "rows", "n": 4, "plugins": {"baselines": "1.0"}, "baselines": {"zero-shot": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}, "control": false, "refusal": ""}');
INSERT INTO run_trials VALUES(2,1,2,0,'tfidf-lr','bbc-news','finetune,train_size=8',1,'test',NULL,'{"key": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "model": {"name": "tfidf-lr", "reference": null, "params": {}}, "task": {"name": "bbc-news", "reference": null, "params": {}}, "strategy": {"name": "finetune", "reference": null, "params": {"train_size": 8}}, "seed": 1, "split": "test", "limit": null, "samples": "rows", "n": 4, "plugins": {"baselines": "1.0"}, "baselines": {}, "control": false, "refusal": ""}');
INSERT INTO run_trials VALUES(3,1,3,0,'tfidf-lr','bbc-news','finetune,train_size=8',2,'test',NULL,'{"key": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "model": {"name": "tfidf-lr", "reference": null, "params": {}}, "task": {"name": "bbc-news", "reference": null, "params": {}}, "strategy": {"name": "finetune", "reference": null, "params": {"train_size": 8}}, "seed": 2, "split": "test", "limit": null, "samples": "rows", "n": 4, "plugins": {"baselines": "1.0"}, "baselines": {}, "control": false, "refusal": "it can''t be trained"}');
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
	PRIMARY KEY (trial, sample_id), 
	FOREIGN KEY(trial) REFERENCES trials (id)
)
 WITHOUT ROWID

;
INSERT INTO predictions VALUES(1,'row-0',0,'sport','sport','answered','[-0.5, -1.25, "-inf"]',replace('it''s sport;\nsays “it”','\n',char(10)),'films',7,3,2,1,4.5,'');
INSERT INTO predictions VALUES(1,'row-1',1,'sport','sport','answered','[-0.5, -1.25, "-inf"]',replace('it''s sport;\nsays “it”','\n',char(10)),'films',7,3,2,1,12.0,'');
INSERT INTO predictions VALUES(1,'row-2',2,'sport','sport','answered','[-0.5, -1.25, "-inf"]',replace('it''s sport;\nsays “it”','\n',char(10)),'films',7,3,2,1,4.5,'');
INSERT INTO predictions VALUES(1,'row-3',3,'sport',NULL,'unparsed','[-0.5, -1.25, "-inf"]',replace('it''s sport;\nsays “it”','\n',char(10)),'films',7,3,2,1,4.5,'no label in it');
CREATE TABLE timings (
	trial INTEGER NOT NULL, 
	chunk INTEGER NOT NULL, 
	samples INTEGER NOT NULL, 
	seconds DOUBLE NOT NULL, 
	prompt_tokens BIGINT NOT NULL, 
	output_tokens BIGINT NOT NULL, 
	peak_bytes BIGINT NOT NULL, 
	counters TEXT NOT NULL, 
	PRIMARY KEY (trial, chunk), 
	FOREIGN KEY(trial) REFERENCES trials (id)
)
 WITHOUT ROWID

;
INSERT INTO timings VALUES(1,0,2,0.5,10,2,1000,'{"forwarded_tokens": 12}');
INSERT INTO timings VALUES(1,1,2,0.5,10,2,1000,'{"forwarded_tokens": 12}');
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
CREATE INDEX ix_run_trials_trial ON run_trials (trial);
COMMIT;

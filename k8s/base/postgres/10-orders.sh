# Run once, when the data folder is new. The role `orders` owns everything and cannot log in; processes log in as one of two members, so
# that the password of the one that is not in use can be changed without anybody noticing. `judge` reads, and sees whose session does what.
psql --quiet --set ON_ERROR_STOP=1 --username postgres \
  --set login="$ORDERS_USER" --set password="$ORDERS_PASSWORD" --set judge="$JUDGE_PASSWORD" <<'SQL'
CREATE ROLE orders NOLOGIN;
CREATE ROLE orders_a LOGIN IN ROLE orders;
CREATE ROLE orders_b LOGIN IN ROLE orders;
ALTER ROLE orders_a SET role = 'orders';
ALTER ROLE orders_b SET role = 'orders';
ALTER ROLE :"login" PASSWORD :'password';
CREATE ROLE judge LOGIN PASSWORD :'judge' IN ROLE pg_read_all_data, pg_read_all_stats;
CREATE DATABASE orders OWNER orders;
REVOKE CONNECT, TEMPORARY ON DATABASE orders FROM PUBLIC;
GRANT CONNECT ON DATABASE orders TO orders, judge;
SQL

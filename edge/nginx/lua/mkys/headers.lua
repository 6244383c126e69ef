-- Removes header fields by which proxies tell services about the visitor. Services and their frameworks trust them, so only the edge's
-- own reach a service.
local lower, gsub, sub = string.lower, string.gsub, string.sub

local _M = {}

local function set(names)
    local all = {}
    for name in names:gmatch("%S+") do
        all[name] = true
    end
    return all
end

-- Fields about the visitor, the scheme and the target; and hop-by-hop fields.
local CLEARED = set [[
forwarded x-forwarded x-real-ip x-mkys-audience
x-client-ip client-ip x-cluster-client-ip true-client-ip x-remote-ip x-remote-addr x-originating-ip x-proxyuser-ip
cf-connecting-ip fastly-client-ip fly-client-ip
x-original-url x-original-uri x-original-host x-original-method x-rewrite-url x-host x-http-host-override
front-end-https x-url-scheme x-scheme x-ssl
remote-user x-remote-user x-authenticated-user
proxy proxy-connection proxy-authorization te
]]
local PREFIXES = { "x-forwarded-", "x-auth-request-" }
-- Spelt otherwise, such as with "_", these are not what HTTP means by them, and yet to CGI and its heirs they are.
local EXACT = set "host connection upgrade expect keep-alive trailer transfer-encoding content-length content-type"

-- Cache of verdicts by name.
local known, count = {}, 0
local MOST = 1000

local function is_cleared(name)
    local exact = lower(name)
    local plain = gsub(exact, "[^%w]", "-")
    if CLEARED[plain] or (plain ~= exact and EXACT[plain]) then
        return true
    end
    for _, prefix in ipairs(PREFIXES) do
        if sub(plain, 1, #prefix) == prefix then
            return true
        end
    end
    return false
end

-- Takes them out of the request.
function _M.clear()
    local all = ngx.req.get_headers(0, true)
    for name in pairs(all) do
        local cleared = known[name]
        if cleared == nil then
            cleared = is_cleared(name)
            if count >= MOST then
                known, count = {}, 0
            end
            known[name], count = cleared, count + 1
        end
        if cleared then
            ngx.req.clear_header(name)
        end
    end
end

return _M
